"""Commands of the command line that are about figures and documents, each a function; `cli` registers them."""
