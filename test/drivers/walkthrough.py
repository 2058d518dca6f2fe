"""A walk through PhotonDB by the official Python driver: prints one JSON object of what it saw."""

import json
import sys

from rethinkdb import r
from rethinkdb.errors import ReqlNonExistenceError, ReqlOpFailedError, ReqlUserError

host, port = sys.argv[1], int(sys.argv[2])
connection = r.connect(host=host, port=port)
seen = {"server": sorted(connection.server())}

r.db_create("walk").run(connection)
r.db("walk").table_create("people").run(connection)
people = r.db("walk").table("people")
people.index_create("age").run(connection)
people.index_wait("age").run(connection)

rows = [{"id": n, "name": f"person {n}", "age": n % 50, "tags": ["a", "b"][: n % 3]} for n in range(1000)]
seen["inserted"] = people.insert(rows).run(connection)["inserted"]
seen["count"] = people.count().run(connection)
seen["get"] = people.get(7).run(connection)
seen["missing"] = people.get(-1).run(connection)
seen["cursor"] = len(list(people.run(connection, max_batch_rows=100)))
seen["between"] = people.between(10, 13, index="age").count().run(connection)
seen["get_all"] = people.get_all(3, index="age").count().run(connection)
seen["filter"] = people.filter((r.row["age"] > 45) & (r.row["id"] < 100)).count().run(connection)
seen["order"] = [row["id"] for row in people.order_by(index=r.desc("id")).limit(3).run(connection)]
seen["group"] = people.group("age").count().run(connection)[49]
seen["updated"] = people.get(7).update({"age": r.row["age"] + 1}).run(connection)["replaced"]
seen["after update"] = people.get(7)["age"].run(connection)
seen["deleted"] = people.filter({"age": 3}).delete().run(connection)["deleted"]
seen["pluck"] = people.get(8).pluck("name", "age").run(connection)
seen["merge"] = people.get(8).merge({"more": True})["more"].run(connection)
seen["arithmetic"] = (r.expr(2) * 3 + 4).run(connection)
seen["strings"] = r.expr("Photon DB").upcase().split().run(connection)


def failure(query, kind):
    try:
        query.run(connection)
    except kind as error:
        return error.message
    return "no error"


seen["no table"] = failure(r.db("walk").table("none"), ReqlOpFailedError)
seen["no field"] = failure(people.get(8)["none"], ReqlNonExistenceError)
seen["user error"] = failure(r.error("boom"), ReqlUserError)

r.db("walk").table_create("sessions", expire_at="expires").run(connection)
seen["expire_at"] = r.db("walk").table("sessions").config()["expire_at"].run(connection)
people.insert({"id": "later"}).run(connection, noreply=True)
connection.noreply_wait()
seen["noreply"] = people.get("later").run(connection)
r.db_drop("walk").run(connection)
connection.close()
print(json.dumps(seen, sort_keys=True))
