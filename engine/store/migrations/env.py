"""Alembic's entry point: uses the connection it is handed, inside that connection's transaction."""

from alembic import context

from engine.store.columns import Money, OptionalText, Words
from engine.store.risk_tables import METADATA


def _render(kind, obj, _):
    """Write our column types as plain text columns, so that migrations import nothing of ours."""
    return "sa.Text()" if kind == "type" and isinstance(obj, Money | OptionalText | Words) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
