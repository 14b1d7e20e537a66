"""Maintains two tables: while it is at work, rows of one are deleted by position, and the other is dropped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "ingestion" / "spark" / "jobs"))

import maintain

if __name__ == "__main__":
    database, location = sys.argv[1:]
    spark = maintain.session()
    deleted, dropped = (f"{maintain.CATALOG}.`{database}`.{name}" for name in ("deleted", "dropped"))
    for table, folder in ((deleted, "deleted"), (dropped, "dropped")):
        spark.sql(f"""
            create table {table} (id bigint)
            using iceberg
            location '{location}/{folder}'
            tblproperties ('format-version' = '2', 'write.delete.mode' = 'merge-on-read')
        """)
    for first in range(0, 600, 100):
        spark.sql(f"insert into {deleted} select id from range({first}, {first + 100}, 1, 1)")
    happenings = {
        f"{database}.deleted": f"delete from {deleted} where id % 10 = 3",
        f"{database}.dropped": f"drop table {dropped}",
    }
    rewrite = maintain._rewrite_data

    def after_a_happening(session: Any, options: Any, table: str, *others: Any) -> None:
        session.sql(happenings[table])
        rewrite(session, options, table, *others)

    maintain._rewrite_data = after_a_happening
    maintain.main(["--databases", database])
