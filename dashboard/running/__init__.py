"""Classifications under way: processes beside the server's, and what is shown of them."""
