"""What the map shows, painted: pure functions of arrays. No Panel here."""
