"""Makes a table whose rows were deleted by position deletes, as Athena's MERGE and DELETE leave them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "ingestion" / "spark" / "jobs"))

from maintain import CATALOG, session

if __name__ == "__main__":
    database, location = sys.argv[1:]
    spark = session()
    table = f"{CATALOG}.`{database}`.merged"
    spark.sql(f"""
        create table {table} (id bigint, name string)
        using iceberg
        location '{location}'
        tblproperties ('format-version' = '2', 'write.delete.mode' = 'merge-on-read')
    """)
    for first in (0, 1_000):
        spark.sql(f"insert into {table} select id, concat('n', id) from range({first}, {first + 1_000}, 1, 1)")
        spark.sql(f"delete from {table} where id % 10 = 3")
    spark.stop()
