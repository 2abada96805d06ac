"""The graph, and the only home of strawberry: it presents what the services below hold and decide."""
