"""Pictures of one photo."""
