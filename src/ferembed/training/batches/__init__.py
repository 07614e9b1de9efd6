"""Which rows make up each batch."""
