"""Runs cases (standard input, JSON) with the official Python driver and prints a verdict per case.

Arguments: host, driver port. A case is judged by the class and message of its error, or by its
value through the matchers that the expectations are written with.
"""
import collections
import json
import os
import re
import signal
import sys
import time
from datetime import datetime, timedelta, timezone

from rethinkdb import r
from rethinkdb import ast as query_ast
from rethinkdb import errors

CASE_SECONDS = 10
# Of the tables that the files begin with.
SHARDS = int(os.environ.get("SHARDS", "1"))


class Mismatch(Exception):
    pass


class Err:
    def __init__(self, kind, message=None, frames=None, pattern=None):
        self.kind, self.message, self.pattern = kind, message, pattern

    def __repr__(self):
        return "%s: %s" % (self.kind, self.message or self.pattern)

    def check(self, found):
        if not isinstance(found, Exception):
            raise Mismatch("expected an error")
        names = [each.__name__ for each in type(found).__mro__]
        if self.kind not in names:
            raise Mismatch("class of the error")
        text = getattr(found, "message", None) or str(found)
        if self.pattern is not None:
            if not re.search(self.pattern, text):
                raise Mismatch("message of the error")
        elif self.message:
            cut = re.sub(r"(?ms):\n.*", ":", text)
            if self.message not in (text, cut, text.rstrip(".")) and re.sub(r"(?ms):\n.*", ":", self.message) != cut:
                raise Mismatch("message of the error")


class Bag:
    def __init__(self, items, partial=False):
        self.items, self.partial = list(items), partial

    def __repr__(self):
        return "bag(%r)" % (self.items,)

    def check(self, found):
        found = as_list(found)
        if not self.partial and len(found) != len(self.items):
            raise Mismatch("%d items in place of %d" % (len(found), len(self.items)))
        rest = list(found)
        for item in self.items:
            for at, candidate in enumerate(rest):
                if equals(item, candidate):
                    del rest[at]
                    break
            else:
                raise Mismatch("no item like %r" % (item,))


class Partial:
    def __init__(self, expected):
        self.expected = expected

    def __repr__(self):
        return "partial(%r)" % (self.expected,)

    def check(self, found):
        if isinstance(self.expected, dict):
            for key, value in self.expected.items():
                if key not in found:
                    raise Mismatch("no field %s" % key)
                check(value, found[key])
        else:
            Bag(self.expected.items if isinstance(self.expected, Bag) else self.expected, True).check(found)


class ArrayOf:
    def __init__(self, count, item=None):
        self.count, self.item = count, item

    def __repr__(self):
        return "arrlen(%r, %r)" % (self.count, self.item)

    def check(self, found):
        found = as_list(found)
        if len(found) != self.count:
            raise Mismatch("%d items in place of %d" % (len(found), self.count))
        for each in found:
            if self.item is not None:
                check(self.item, each)


class Pattern:
    def __init__(self, pattern):
        self.pattern = pattern

    def __repr__(self):
        return "regex(%s)" % self.pattern

    def check(self, found):
        if not isinstance(found, str) or not re.match(self.pattern, found):
            raise Mismatch("text")


class Kind:
    def __init__(self, value, kinds):
        self.value, self.kinds = value, kinds

    def __repr__(self):
        return repr(self.value)

    def check(self, found):
        if not isinstance(found, self.kinds) or found != self.value:
            raise Mismatch("number")


class Anything:
    def __repr__(self):
        return "anything"

    def check(self, found):
        if isinstance(found, Exception):
            raise found


def as_list(found):
    if isinstance(found, Exception):
        raise found
    if isinstance(found, (list, tuple)):
        return list(found)
    raise Mismatch("expected a list, found %s" % type(found).__name__)


def equals(expected, found):
    try:
        check(expected, found)
        return True
    except Mismatch:
        return False


def check(expected, found):
    if hasattr(expected, "check"):
        return expected.check(found)
    if isinstance(found, Exception):
        raise Mismatch("an error")
    if isinstance(expected, dict):
        if not isinstance(found, dict) or set(map(key_text, expected)) != set(map(key_text, found)):
            raise Mismatch("fields")
        for key, value in expected.items():
            check(value, found[key] if key in found else found[key_text(key)])
    elif isinstance(expected, (list, tuple)):
        found = as_list(found)
        if len(found) != len(expected):
            raise Mismatch("%d items in place of %d" % (len(found), len(expected)))
        for one, two in zip(expected, found):
            check(one, two)
    elif isinstance(expected, bool) or isinstance(found, bool):
        if expected is not found:
            raise Mismatch("truth value")
    elif isinstance(expected, float) and isinstance(found, (int, float)):
        if abs(expected - found) > 1e-12 * max(1.0, abs(expected)):
            raise Mismatch("number")
    elif expected != found:
        raise Mismatch("value")


def key_text(key):
    return key if isinstance(key, (str, tuple)) else str(key)


def fetch(cursor, limit=None, timeout=0.2):
    items = []
    while limit is None or len(items) < limit:
        try:
            items.append(cursor.next(wait=timeout))
        except (errors.ReqlTimeoutError, StopIteration, errors.ReqlCursorEmpty):
            break
    return items


def drained(result):
    if isinstance(result, r.net.Cursor if hasattr(r, "net") else ()):
        return list(result)
    if result.__class__.__name__ in ("DefaultCursor", "Cursor", "DefaultCursorEmpty"):
        if getattr(result, "_feed", False):
            return result
        return list(result)
    return result


def expired(*_):
    raise Exception("no answer within %d s" % CASE_SECONDS)


class Session:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.connection = None
        self.names = {}

    def begin(self, tables):
        if self.connection is not None:
            self.connection.close(noreply_wait=False)
        self.connection = r.connect(host=self.host, port=self.port)
        for name in r.db_list().run(self.connection):
            if name != "rethinkdb":
                r.db_drop(name).run(self.connection)
        r.db_create("test").run(self.connection)
        self.names = {
            "r": r, "conn": self.connection, "time": time, "datetime": datetime, "sys": sys,
            "UTCTimeZone": lambda: timezone.utc,
            "PacificTimeZone": lambda: timezone(timedelta(hours=-7)),
            "err": lambda kind, message=None, frames=None: Err(kind, message, frames),
            "err_regex": lambda kind, pattern=None, frames=None: Err(kind, None, frames, pattern),
            "bag": lambda items, *_: Bag(items), "partial": Partial,
            "arrlen": lambda count, item=None: ArrayOf(count, item),
            "uuid": lambda: Pattern(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
            "regex": Pattern, "int_cmp": lambda value: Kind(value, int),
            "float_cmp": lambda value: Kind(value, float), "float": float, "int": int,
            "anything": lambda: Anything(), "fetch": fetch, "wait": time.sleep,
            "null": None, "nil": None, "true": True, "false": False,
            "AnythingIsFine": Anything(), "sorted": sorted,
            "query_ast": query_ast, "OrderedDict": collections.OrderedDict,
        }
        for name in tables:
            r.db("test").table_create(name, shards=SHARDS).run(self.connection)
            self.names[name] = r.db("test").table(name)

    def evaluate(self, source, options, run):
        bound = re.match(r"^([A-Za-z_]\w*)\s*=(?!=)\s*(.*)$", source, re.S)
        if bound and not re.match(r"^\w+\s*==", source):
            source = bound.group(2)
        value = eval(source.strip().replace("\n", " ") if source.lstrip()[:3] not in ('"""',) else source, self.names)
        if run and hasattr(value, "run"):
            value = drained(value.run(self.connection, **options))
        if bound:
            self.names[bound.group(1)] = value
        return value

    def case(self, case):
        options = {"max_batch_rows": 3}
        try:
            for name, source in case["options"].items():
                options[name] = eval(source, self.names)
        except Exception as error:
            return "options: %s" % error
        found = None
        signal.alarm(CASE_SECONDS)
        try:
            found = self.evaluate(case["source"], options, case["kind"] == "run")
        except Exception as error:
            found = error
        finally:
            signal.alarm(0)
        if case["kind"] == "define":
            return None if not isinstance(found, Exception) else "define: %s" % found
        return self.verdict(case, found)

    def verdict(self, case, found):
        text = case.get("expected")
        if text is None:
            return None if not isinstance(found, Exception) else shown(found)
        try:
            expected = eval(text.replace("\n", " "), self.names)
        except Exception as error:
            return "expectation: %s" % error
        try:
            check(expected, found)
            return None
        except Mismatch as error:
            return "%s: expected %s, found %s" % (error, repr(expected)[:400], shown(found))
        except Exception:
            return "expected %s, found %s" % (repr(expected)[:400], shown(found))


def shown(found):
    if isinstance(found, Exception):
        return "%s: %s" % (type(found).__name__, (getattr(found, "message", None) or str(found))[:500])
    return repr(found)[:400]


def main():
    signal.signal(signal.SIGALRM, expired)
    session = Session(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        job = json.loads(line)
        try:
            session.begin(job["tables"])
            verdicts = [session.case(case) for case in job["cases"]]
        except Exception as error:
            verdicts = [shown(error)] * len(job["cases"])
        print(json.dumps(verdicts), flush=True)


main()
