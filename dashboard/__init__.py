"""The dashboard: thin views over `lulc`. Serve it with `panel serve dashboard`."""
