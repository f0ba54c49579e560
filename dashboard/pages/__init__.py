"""The pages, one a file: what stands behind each tab."""
