"""Run by Alembic for each migration, on the connection that `db.migrate` holds with its lock."""

from alembic import context

from central.core.db.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
    transaction_per_migration=False,
)
context.run_migrations()
