import com.fasterxml.jackson.databind.ObjectMapper;
import com.rethinkdb.RethinkDB;
import com.rethinkdb.gen.ast.ReqlExpr;
import com.rethinkdb.gen.ast.Table;
import com.rethinkdb.gen.exc.ReqlError;
import com.rethinkdb.model.MapObject;
import com.rethinkdb.model.OptArgs;
import com.rethinkdb.net.Connection;
import com.rethinkdb.net.Result;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/** A walk through PhotonDB by the Java driver: prints one JSON object of what it saw. */
public class Walk {
    private static final RethinkDB r = RethinkDB.r;
    private static Connection connection;

    public static void main(String[] args) throws Exception {
        String host = args[0];
        int port = Integer.parseInt(args[1]);
        Map<String, Object> seen = new TreeMap<>();
        connection = r.connection().hostname(host).port(port).connect();
        seen.put("server", connection.server().getName() != null);
        run(r.dbCreate("java"));
        connection.use("java");
        run(r.tableCreate("people"));
        Table people = r.table("people");
        run(people.indexCreate("age"));
        run(people.indexCreate("sum", row -> row.g("age").add(row.g("id"))));
        run(people.indexWait());
        documents(people, seen);
        cursors(people, seen);
        values(people, seen);
        errors(people, seen);
        administration(people, seen);
        run(r.dbDrop("java"));
        connection.close(true);
        seen.put("closed", !connection.isOpen());
        System.out.println(new ObjectMapper().writeValueAsString(seen));
    }

    private static Object run(ReqlExpr query) {
        return query.run(connection).single();
    }

    private static void documents(Table people, Map<String, Object> seen) {
        List<Object> rows = new ArrayList<>();
        for (int id = 0; id < 1000; id += 1) rows.add(r.hashMap("id", id).with("age", id % 50));
        seen.put("inserted", ((Map<?, ?>) run(people.insert(rows))).get("inserted"));
        seen.put("get", run(people.get(7)));
        seen.put("missing", run(people.get(-1).eq((Object) null)));
        seen.put("getAll", run(people.getAll(3).optArg("index", "age").count()));
        seen.put("between", run(people.between(10, 13).optArg("index", "age").count()));
        seen.put("sum", run(people.getAll(14).optArg("index", "sum").nth(0).g("id")));
        seen.put("filter", run(people.filter(row -> row.g("age").gt(45).and(row.g("id").lt(100))).count()));
        seen.put("update", ((Map<?, ?>) run(people.get(7).update(row -> r.hashMap("age", row.g("age").add(1))))).get("replaced"));
        seen.put("delete", ((Map<?, ?>) run(people.getAll(4).optArg("index", "age").delete())).get("deleted"));
        seen.put("group", run(people.group("age").count().ungroup().count()));
        seen.put("object", run(r.object("a", r.array(1, 2)).merge(r.hashMap("b", r.expr(1).add(1)))));
        seen.put("do", run(r.expr(5).do_(value -> value.mul(2))));
    }

    private static void cursors(Table people, Map<String, Object> seen) {
        // NB: the lazy mode of the driver, its default, sometimes never asks for the next batch when answers come fast.
        OptArgs options = OptArgs.of("max_batch_rows", 100);
        Result<Map> batches = people.run(connection, options, Result.FetchMode.AGGRESSIVE, Map.class);
        int count = 0;
        try {
            for (; batches.hasNext(); count += 1) batches.next();
        } catch (NoSuchElementException end) {
            // hasNext() says yes while the driver has taken the last rows and not noticed the end yet.
            seen.put("end", true);
        }
        seen.put("cursor", count);
        Result<Object> early = people.run(connection, OptArgs.of("max_batch_rows", 10));
        early.next();
        early.close();
        seen.put("early", run(r.expr(1)));
        seen.put("ordered", people.orderBy().optArg("index", r.desc("id")).limit(3).g("id").run(connection, Long.class).toList());
        List<CompletableFuture<Result<Object>>> running = new ArrayList<>();
        for (int id = 0; id < 100; id += 1) running.add(people.get(id).runAsync(connection));
        long found = running.stream().filter(each -> each.join().first() != null).count();
        seen.put("parallel", found);
    }

    private static void values(Table people, Map<String, Object> seen) {
        OffsetDateTime when = OffsetDateTime.parse("2024-02-29T12:34:56.789+02:00");
        MapObject<Object, Object> row = r.hashMap("id", "values").with("when", when).with("bytes", new byte[] {0, 1, -1});
        run(people.insert(row));
        Map<?, ?> found = (Map<?, ?>) run(people.get("values"));
        seen.put("time", found.get("when").toString());
        seen.put("bytes", ((byte[]) found.get("bytes")).length);
        seen.put("zone", run(people.get("values").g("when").timezone()));
    }

    private static void errors(Table people, Map<String, Object> seen) {
        seen.put("noTable", failure(r.table("none")));
        seen.put("noField", failure(people.get(8).g("none")));
        seen.put("userError", failure(r.error("boom")));
        seen.put("wrongType", failure(r.expr(1).add("a")));
        seen.put("default", run(people.get(8).g("none").default_("instead")));
    }

    private static List<String> failure(ReqlExpr query) {
        try {
            run(query);
            return List.of("no error");
        } catch (ReqlError error) {
            return List.of(error.getClass().getSimpleName(), error.getMessage().split("\n")[0]);
        }
    }

    private static void administration(Table people, Map<String, Object> seen) {
        people.insert(r.hashMap("id", "later")).runNoReply(connection);
        connection.noreplyWait();
        seen.put("noreply", run(people.get("later")));
        run(people.setWriteHook((context, old, next) -> next.merge(r.hashMap("key", context.g("primary_key")))));
        run(people.insert(r.hashMap("id", "hooked")));
        seen.put("hook", run(people.get("hooked").g("key")));
        seen.put("config", ((Map<?, ?>) run(people.config().update(r.hashMap("durability", "soft")))).get("replaced"));
        seen.put("version", run(r.db("rethinkdb").table("server_status").nth(0).g("process").g("version")));
    }
}
