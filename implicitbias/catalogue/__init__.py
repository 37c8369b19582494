"""All studies that come with the package as one body of claims, each with its verdict."""
