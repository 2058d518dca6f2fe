"""Data for the tools of the Python package: fills a database, digests it, makes a dump as RethinkDB writes it."""

import base64
import io
import json
import struct
import sys
import tarfile

from rethinkdb import r

DB = "shop"


def connect(address):
    host, port = address.rsplit(":", 1)
    return r.connect(host=host, port=int(port))


def documents():
    zones = ["+00:00", "-07:30", "+14:00"]
    for n in range(1000):
        yield {
            "id": n if n % 2 else f"ordér {n}",
            "n": n / 4,
            "made": r.epoch_time(1_700_000_000.125 + n).in_timezone(zones[n % 3]),
            "bytes": r.binary(bytes(range(n % 256))),
            "tags": ["red", "blue", "grün"][: n % 4],
            "deep": {"list": [None, True, {"": "empty"}], "text": '"quoted"\n\t\\ 😀 \u0000'},
        }


def fill(address):
    c = connect(address)
    r.db_create(DB).run(c)
    db = r.db(DB)
    db.table_create("orders").run(c)
    orders = db.table("orders")
    # The import tool sets hooks while its last batches are on their way, and writes through them: this one leaves
    # documents as they are that went through it before.
    orders.set_write_hook(
        lambda context, old, new: new.merge({"touched": new["touched"].default(context["timestamp"])})
    ).run(c)
    for start in range(0, 1000, 200):
        batch = list(documents())[start : start + 200]
        done = orders.insert(batch).run(c)
        assert done["errors"] == 0, done
    orders.index_create("n").run(c)
    orders.index_create("tags", multi=True).run(c)
    orders.index_create("both", lambda d: [d["n"], d["made"].year()]).run(c)
    orders.index_create("large", lambda d: r.branch(d["n"] > 100, d["id"], None)).run(c)
    db.table_create("people", primary_key="email", durability="soft").run(c)
    db.table("people").insert([{"email": f"p{n}@x", "age": n} for n in range(300)]).run(c)
    db.table_create("empty").run(c)
    orders.index_wait().run(c)
    c.close()


def digest(address):
    c = connect(address)
    raw = {"time_format": "raw", "binary_format": "raw"}
    found = {}
    for name in r.db(DB).table_list().run(c):
        table = r.db(DB).table(name)
        indexes = table.index_wait().run(c, **raw)
        hook = table.get_write_hook().run(c, **raw)
        found[name] = {
            "key": table.info()["primary_key"].run(c),
            "documents": sorted(json.dumps(d, sort_keys=True) for d in table.run(c, **raw)),
            "indexes": sorted(([i["index"], i["multi"], i["geo"], i["query"], i["function"]] for i in indexes), key=str),
            "hook": hook,
            "by index": {i["index"]: table.order_by(index=i["index"]).count().run(c) for i in indexes},
        }
    c.close()
    print(json.dumps(found, sort_keys=True))


def wire_function(parameters, body):
    """A function as RethinkDB 2.4 serializes it: with a place for each term."""
    text = json.dumps(body).encode() + b"\0"
    head = b"\0" + b"\0" + struct.pack("<I", 0) + bytes([len(parameters)])
    ids = b"".join(struct.pack("<q", p) for p in parameters)
    return head + ids + struct.pack("<I", len(text)) + text + struct.pack("<I", 6)


def binary(value):
    return {"$reql_type$": "BINARY", "data": base64.b64encode(value).decode()}


def rethinkdb_dump(path):
    """`rethinkdb dump` of a table of RethinkDB 2.4.4, with an index, a multi index and a hook."""
    age = [170, [[10, [[1, 1, 3]], 2], [1, "age", 4]], 1]
    pets = [170, [[10, [[1, -7, 3]], 2], [1, "pets", 4]], 1]
    hook = [35, [[10, [[1, 3, 3]], 2], [3, {"seen": [1, [1, {"by": "hook"}], 5]}, 4]], 1]
    version = b"\x09\x07\x07\x07"
    index = lambda function, multi: binary(b"$reql_index_function$" + version + function + bytes([multi, 0]))
    common = {"geo": False, "outdated": False, "ready": True}
    info = {
        "db": {"id": "b2d8c6d0-7b8c-4f0e-9d6e-0a3f5b1f7c11", "name": DB, "type": "DB"},
        "doc_count_estimates": [3],
        "id": "be1f400f-1d44-4bf4-aa03-8f5a4b976360",
        "indexes": [
            {**common, "index": "age", "multi": False, "function": index(wire_function([1], age), 0),
             "query": "indexCreate('age', function(var1) { return var1(\"age\"); })"},
            {**common, "index": "pets", "multi": True, "function": index(wire_function([-7], pets), 1),
             "query": "indexCreate('pets', function(var_7) { return var_7(\"pets\"); }, {multi: true})"},
        ],
        "name": "keepers",
        "primary_key": "name",
        "type": "TABLE",
        "write_hook": {
            "function": binary(b"$reql_write_hook_function$" + wire_function([1, 2, 3], hook)),
            "query": "setWriteHook(function(var1, var2, var3) { return var3.merge(...); })",
        },
    }
    rows = [
        {"name": "ann", "age": 31, "pets": ["cat", "dog"],
         "born": {"$reql_type$": "TIME", "epoch_time": 531331200.5, "timezone": "+02:00"}},
        {"name": "bob", "age": 40, "pets": ["dog"], "photo": binary(b"\x00\xff")},
        {"name": "eve"},
    ]
    with tarfile.open(path, "w:gz") as archive:
        for name, value in (("keepers.info", info), ("keepers.json", rows)):
            content = json.dumps(value).encode()
            member = tarfile.TarInfo(f"rethinkdb_dump_2024-01-01T00:00:00/{DB}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def drop(address):
    c = connect(address)
    r.db_drop(DB).run(c)
    c.close()


def keepers(address):
    c = connect(address)
    table = r.db(DB).table("keepers")
    table.index_wait().run(c)
    restored = table.count().run(c), table.has_fields("seen").count().run(c)
    table.insert({"name": "new"}).run(c)
    print(json.dumps({
        "restored": restored,
        "age": list(table.get_all(40, index="age")["name"].run(c)),
        "pets": sorted(table.get_all("dog", index="pets")["name"].run(c)),
        "through the hook": table.get("new")["seen"].run(c),
        "indexes": sorted([i["index"], i["multi"]] for i in table.index_status().run(c)),
    }))
    c.close()


{"fill": fill, "digest": digest, "drop": drop, "dump": rethinkdb_dump, "keepers": keepers}[sys.argv[1]](sys.argv[2])
