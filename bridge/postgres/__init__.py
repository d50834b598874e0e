"""The store on PostgreSQL: connections, schema, and the forms that its operations have there."""
