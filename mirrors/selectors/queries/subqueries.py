"""Subqueries that return the rows of a query, or their number, as one value, for pages that limit their queries."""

from __future__ import annotations

from typing import Any

from django.db.models import Func, IntegerField, JSONField, QuerySet, Subquery


class JsonRows(Subquery):
    """The rows of a query as a list of dictionaries; None without rows. On SQLite, values of JSON columns are text."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        super().__init__(rows, output_field=JSONField())

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(SELECT jsonb_agg(to_jsonb(found)) FROM (%(subquery)s) found)"
        return self.as_sql(compiler, connection, template=template, **context)  # type: ignore[call-arg]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        names = (*self.query.values_select, *self.query.annotation_select)
        pairs = ", ".join(f"'{name}', found.\"{name}\"" for name in names)
        # Without rows, SQLite returns an empty list. NULLIF converts it to NULL, as in Postgres.
        rows = f"json_group_array(json_object({pairs}))"
        template = f"(SELECT NULLIF({rows}, '[]') FROM (%(subquery)s) found)"  # noqa: S608 (names are of our own fields)
        return self.as_sql(compiler, connection, template=template, **context)  # type: ignore[call-arg]


def rows_counted(rows: QuerySet[Any]) -> Subquery:
    """Return a subquery for the number of rows."""
    # COUNT is used as a function, not as an aggregate, because a grouped count has no row if nothing matches.
    number = Func(template="COUNT(*)", output_field=IntegerField())
    return Subquery(rows.order_by().annotate(n=number).values("n"))
