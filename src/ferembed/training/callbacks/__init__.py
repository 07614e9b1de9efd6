"""What looks on while a run trains: it keeps, warns, stops and shows."""
