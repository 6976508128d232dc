import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.record.FileLogInputStream.FileChannelRecordBatch;
import org.apache.kafka.common.record.FileRecords;

/*
 * Golden TEMPDIR OUTDIR: let a real broker write every case of the README
 * beside us, over several of its lives, and record what it answers.
 *
 *   lives 1 to 4   cleaning is on: compacted, compacted-txn, deleted, epochs
 *   life 5         cleaning is off: all the others
 *   (the partitions are copied here)
 *   life 6         only reads: expected.*
 *
 * So the expected files are answers of a broker that opened just the files
 * that are kept. Every case is checked to hold what it is there to show.
 */
public class Golden {
	private static final List<String> CODECS =
	    List.of("none", "gzip", "snappy", "lz4", "zstd");
	private static final List<String> CHECKPOINTS = List.of(
	    "recovery-point-offset-checkpoint",
	    "replication-offset-checkpoint", "log-start-offset-checkpoint",
	    "cleaner-offset-checkpoint");
	private static final Map<String, String> NO_CLEANING = Map.of(
	    "log.cleaner.enable", "false",
	    "log.retention.check.interval.ms", "3600000");
	private static final int LIVES = 5;

	private final Path work;
	private final Path out;
	private final Map<String, Map<String, String>> topics =
	    new TreeMap<>();
	private final Shapes epochShapes = new Shapes("epochs", 50);
	private Broker broker;

	private Golden(Path work, Path out) {
		this.work = work;
		this.out = out;
		for (String c : CODECS)
			topic("codec-" + c);
		topic("txn", "segment.bytes", "4096", "index.interval.bytes",
		    "400");
		topic("compacted", "cleanup.policy", "compact",
		    "segment.bytes", "3000", "index.interval.bytes", "500",
		    "min.cleanable.dirty.ratio", "0.01",
		    "delete.retention.ms", "1", "file.delete.delay.ms", "50");
		topics.put("compacted-txn", topics.get("compacted"));
		topic("epochs");
		topic("appendtime", "message.timestamp.type",
		    "LogAppendTime");
		topic("deleted", "segment.bytes", "2000",
		    "index.interval.bytes", "300",
		    "file.delete.delay.ms", "50");
		topics.put("deleted-kept", topics.get("deleted"));
		topic("segments", "segment.bytes", "6000",
		    "index.interval.bytes", "300");
		topic("old-v0", "index.interval.bytes", "300");
		topic("old-v1", "index.interval.bytes", "300");
		topic("old-mixed", "index.interval.bytes", "300");
	}

	private void topic(String name, String... settings) {
		Map<String, String> m = new HashMap<>();
		m.put("retention.ms", "-1");
		for (int i = 0; i < settings.length; i += 2)
			m.put(settings[i], settings[i + 1]);
		topics.put(name, m);
	}

	private void run() throws Exception {
		for (int life = 1; life <= LIVES; life++) {
			start(life == LIVES ? NO_CLEANING : Map.of());
			say("life " + life);
			if (life == 1) {
				createTopics();
				deleted("deleted", 60);
			}
			if (life == 3) {
				setting("compacted", "delete.retention.ms",
				    "86400000");
				setting("compacted-txn",
				    "delete.retention.ms", "86400000");
			}
			if (life < LIVES) {
				compacted(life);
				compactedTxn(life);
			} else
				lastLife();
			epochs();
			broker.close();
			if (life == 1)
				installOld();
		}
		for (String t : topics.keySet())
			keep(t);
		check();
		start(NO_CLEANING);
		for (String t : topics.keySet())
			expect(t);
		broker.close();
		shareEqualFiles();
	}

	private void start(Map<String, String> settings) throws Exception {
		broker = new Broker(work, settings);
	}

	private void createTopics() throws Exception {
		try (Admin a = broker.admin()) {
			a.createTopics(topics.entrySet().stream()
				.map(e -> new NewTopic(e.getKey(), 1,
				    (short)1).configs(e.getValue()))
				.toList()).all().get();
		}
	}

	private void lastLife() throws Exception {
		for (String c : CODECS)
			codec(c);
		txn();
		appendTime();
		segments();
		deleted("deleted-kept", 60);
		try (Writer w = new Writer(broker)) {
			w.batch(new Shapes("old-mixed", 80), 10);
		}
	}

	/* --- the cases --- */

	/*
	 * 500 records; one batch is long enough for several of the blocks that
	 * snappy and lz4 cut their input into.
	 */
	private void codec(String name) throws Exception {
		Shapes s = new Shapes("codec-" + name, 10);
		Random r = new Random(11);
		try (Writer w = new Writer(broker, "compression.type", name)) {
			batches(w, s, r, 197);
			for (int i = 0; i < 3; i++)
				w.add(s.nextLong(22500));
			w.flush();
			batches(w, s, r, 300);
		}
	}

	private static void batches(Writer w, Shapes s, Random r, int count)
	    throws Exception {
		for (int n; count > 0; count -= n) {
			n = Math.min(count, 1 + r.nextInt(20));
			w.batch(s, n);
		}
	}

	/*
	 * Two transactional writers and a plain one take turns; one writer is
	 * succeeded by another of its name amid a transaction (which aborts it
	 * and raises its epoch); at last one transaction is left open, and
	 * more commits and aborts follow it.
	 */
	private void txn() throws Exception {
		Shapes s = new Shapes("txn", 20);
		Random r = new Random(21);
		Writer[] w = { Writer.transactional(broker, "txn-a", "lz4"),
			Writer.transactional(broker, "txn-b", "none"),
			Writer.plain(broker) };
		boolean[] open = new boolean[2];

		for (int i = 0; i < 110; i++) {
			int k = r.nextInt(3);
			if (k < 2 && open[k] && r.nextInt(5) >= 2) {
				open[k] = false;
				end(w[k], r.nextInt(3) > 0);
				continue;
			}
			if (k < 2 && !open[k]) {
				open[k] = true;
				w[k].begin();
			}
			w[k].batch(s, 1 + r.nextInt(4));
		}
		for (int k = 0; k < 2; k++)
			if (open[k])
				end(w[k], k == 0);
		w[1].begin();
		w[1].batch(s, 3);
		Writer heir = Writer.transactional(broker, "txn-b", "none");
		w[1].abandon();
		oneTxn(heir, s, true);

		Writer unended = Writer.transactional(broker, "txn-c", "none");
		unended.begin();
		unended.batch(s, 3);
		oneTxn(w[0], s, true);
		w[2].batch(s, 2);
		oneTxn(heir, s, false);
		w[2].batch(s, 2);
		unended.abandon();
		w[0].close();
		heir.close();
		w[2].close();
	}

	private static void oneTxn(Writer w, Shapes s, boolean commit)
	    throws Exception {
		w.begin();
		w.batch(s, 3);
		end(w, commit);
	}

	private static void end(Writer w, boolean commit) {
		if (commit)
			w.commit();
		else
			w.abort();
	}

	/*
	 * Many updates of few keys. Lives 1 and 2 let tombstones go at once,
	 * lives 3 and 4 keep them a day: these batches carry a delete horizon.
	 * The only batch of one writer is wholly superseded; its header stays,
	 * without records, to keep the writer's sequence number.
	 */
	private void compacted(int life) throws Exception {
		Random r = new Random(30 + life);
		try (Writer w = new Writer(broker, "compression.type",
			 life % 2 == 0 ? "none" : "zstd");
		     Writer once = new Writer(broker)) {
			for (int i = 0; i < 60; i++) {
				if (i == 2)
					once.add(update("compacted", r, life,
					    i));
				once.flush();
				for (int k = r.nextInt(6); k >= 0; k--)
					w.add(update("compacted", r, life,
					    i));
				w.flush();
			}
		}
		awaitCleaning("compacted");
	}

	private void compactedTxn(int life) throws Exception {
		Random r = new Random(40 + life);
		try (Writer a = Writer.transactional(broker, "ctxn-a", "none");
		     Writer b = Writer.transactional(broker, "ctxn-b", "none");
		     Writer once = Writer.transactional(broker,
			 "ctxn-once-" + life, "none")) {
			for (int i = 0; i < 25; i++) {
				a.begin();
				b.begin();
				for (Writer w : List.of(a, b, a)) {
					w.add(update("compacted-txn", r, life,
					    i));
					w.add(update("compacted-txn", r, life,
					    i));
					w.flush();
				}
				end(b, r.nextInt(3) > 0);
				end(a, r.nextInt(3) > 0);
				if (i == 3 || i == 15)
					oneUpdate(once, r, life, i);
			}
		}
		awaitCleaning("compacted-txn");
	}

	private static void oneUpdate(Writer w, Random r, int life, int i)
	    throws Exception {
		w.begin();
		w.add(update("compacted-txn", r, life, i));
		w.flush();
		end(w, i == 3);
	}

	private static ProducerRecord<byte[], byte[]> update(String topic,
	    Random r, int life, int i) {
		ProducerRecord<byte[], byte[]> u = new ProducerRecord<>(topic,
		    0, Shapes.START_MS + life * 1000000L + i * 1000L,
		    Shapes.bytes("key-" + r.nextInt(25)),
		    r.nextInt(5) == 0 ? null
			: Shapes.bytes("life " + life + " turn " + i));
		if (r.nextInt(6) == 0)
			u.headers().add("h", Shapes.bytes("" + i));
		return u;
	}

	/* Until all but the active segment is clean and leftovers are gone. */
	private void awaitCleaning(String t) throws Exception {
		Path dir = broker.data().resolve(t + "-0");
		await("cleaning of " + t, () -> {
			long active = segments(dir).stream().mapToLong(
			    Golden::baseOffset).max().getAsLong();
			return checkpointed(t) >= active
			    && count(dir, n -> n.endsWith(".deleted")
				|| n.endsWith(".swap")
				|| n.endsWith(".cleaned")) == 0;
		});
	}

	private long checkpointed(String t) throws IOException {
		Path p = broker.data().resolve("cleaner-offset-checkpoint");
		if (!Files.exists(p))
			return -1;
		return Files.readAllLines(p).stream()
		    .filter(l -> l.startsWith(t + " "))
		    .mapToLong(l -> Long.parseLong(l.split(" ")[2]))
		    .findFirst().orElse(-1);
	}

	private void epochs() throws Exception {
		try (Writer w = new Writer(broker)) {
			for (int i = 0; i < 4; i++)
				w.batch(epochShapes, 5);
		}
	}

	private void appendTime() throws Exception {
		Shapes s = new Shapes("appendtime", 60);
		for (String c : List.of("none", "lz4", "zstd"))
			try (Writer w = new Writer(broker,
				 "compression.type", c)) {
				for (int i = 1; i <= 5; i++) {
					w.batch(s, i);
					Thread.sleep(20);
				}
			}
	}

	/*
	 * The start is moved into the middle of a batch. While cleaning is on
	 * the segments wholly before it go, otherwise they stay.
	 */
	private void deleted(String t, int start) throws Exception {
		Shapes s = new Shapes(t, 70);
		try (Writer w = Writer.plain(broker);
		     Admin a = broker.admin()) {
			for (int i = 0; i < 20; i++)
				w.batch(s, 7);
			a.deleteRecords(Map.of(new TopicPartition(t, 0),
			    RecordsToDelete.beforeOffset(start))).all().get();
		}
		Path dir = broker.data().resolve(t + "-0");
		if (t.equals("deleted"))
			await("deletion", () ->
			    count(dir, n -> n.startsWith("0".repeat(20))) == 0
			    && count(dir, n -> n.endsWith(".deleted")) == 0);
	}

	private void segments() throws Exception {
		Shapes s = new Shapes("segments", 90);
		Random r = new Random(91);
		try (Writer w = Writer.plain(broker)) {
			for (int i = 0; i < 120; i++)
				w.batch(s, 1 + r.nextInt(6));
		}
	}

	/* The broker is down, and has not yet anything in these topics. */
	private void installOld() throws IOException {
		Path data = broker.data();
		Old.install(data.resolve("old-v0-0"), (byte)0);
		Old.install(data.resolve("old-v1-0"), (byte)1);
		Old.install(data.resolve("old-mixed-0"), (byte)1);
	}

	private void setting(String t, String name, String value)
	    throws Exception {
		try (Admin a = broker.admin()) {
			a.incrementalAlterConfigs(Map.of(
			    new ConfigResource(ConfigResource.Type.TOPIC, t),
			    List.of(new AlterConfigOp(
				new ConfigEntry(name, value),
				AlterConfigOp.OpType.SET)))).all().get();
		}
	}

	/* --- what is kept --- */

	/* The partition as it lies there, and its lines of the checkpoints. */
	private void keep(String t) throws IOException {
		Path from = broker.data().resolve(t + "-0");
		Path to = out.resolve(t).resolve(t + "-0");
		Files.createDirectories(to);
		for (Path p : list(from))
			Files.copy(p, to.resolve(p.getFileName()));
		for (String c : CHECKPOINTS) {
			Path p = broker.data().resolve(c);
			if (!Files.exists(p))
				continue;
			List<String> mine = Files.readAllLines(p).stream()
			    .filter(l -> l.startsWith(t + " ")).toList();
			if (!mine.isEmpty())
				Files.writeString(out.resolve(t).resolve(c),
				    "0\n" + mine.size() + "\n"
				    + String.join("\n", mine) + "\n");
		}
	}

	private void expect(String t) throws Exception {
		say("expected answers: " + t);
		Expect e = new Expect(broker, t, out.resolve(t));
		e.write(t.equals("txn"));
		if (t.equals("epochs"))
			e.writeEpochs(2 * LIVES + 2);
	}

	/* The records of all codecs are the same, so are the answers. */
	private void shareEqualFiles() throws IOException {
		Path first = out.resolve("codec-" + CODECS.get(0));
		for (String c : CODECS.subList(1, CODECS.size()))
			for (Path p : list(out.resolve("codec-" + c))) {
				Path n = p.getFileName();
				if (!n.toString().startsWith("expected."))
					continue;
				demand(Files.mismatch(p, first.resolve(n))
				    == -1, p + " differs");
				Files.delete(p);
				Files.createSymbolicLink(p, Path.of("..",
				    first.getFileName().toString(),
				    n.toString()));
			}
	}

	/* --- each case shows what it is there for --- */

	private void check() throws IOException {
		for (String c : CODECS)
			demand(batches("codec-" + c, b -> b.compressionType()
			    .name.equals(c)) > 30, "codec-" + c);
		demand(names("txn", n -> n.endsWith(".txnindex")) > 1
		    && batches("txn", b -> b.isControlBatch()) > 20
		    && batches("txn", b -> b.producerEpoch() > 0
			&& !b.isControlBatch()) > 0, "txn");
		for (String t : List.of("compacted", "compacted-txn"))
			demand(batches(t, b -> b.deleteHorizonMs()
				.isPresent()) > 0
			    && batches(t, b -> b.countOrNull() == 0) > 0
			    && batches(t, b -> b.countOrNull()
				< b.lastOffset() - b.baseOffset() + 1) > 3, t);
		demand(batches("compacted-txn", b -> b.isControlBatch()
			&& b.deleteHorizonMs().isPresent()) > 0
		    && batches("compacted-txn", b -> b.isControlBatch()
			&& !b.deleteHorizonMs().isPresent()) > 0,
		    "compacted-txn: markers");
		demand(Files.readAllLines(out.resolve(
			"epochs/epochs-0/leader-epoch-checkpoint")).size()
		    >= 2 + LIVES, "epochs");
		demand(names("segments", n -> n.endsWith(".log")) > 3,
		    "segments");
		demand(names("deleted", n -> n.endsWith(".log")) > 1
		    && names("deleted-kept", n -> n.startsWith(
			"0".repeat(20))) > 0, "deleted");
		for (int m = 0; m < 2; m++) {
			int magic = m;
			demand(batches("old-v" + m, b -> b.magic() == magic)
			    == 2 * Old.PLAIN + 3, "old-v" + m);
		}
		demand(batches("old-mixed", b -> b.magic() == 1) > 0
		    && batches("old-mixed", b -> b.magic() == 2) > 0,
		    "old-mixed");
	}

	private long batches(String t, Predicate<FileChannelRecordBatch> p)
	    throws IOException {
		long n = 0;
		for (Path log : segments(out.resolve(t).resolve(t + "-0")))
			try (FileRecords f = FileRecords.open(log.toFile())) {
				for (FileChannelRecordBatch b : f.batches())
					if (p.test(b))
						n++;
			}
		return n;
	}

	private long names(String t, Predicate<String> p) throws IOException {
		return count(out.resolve(t).resolve(t + "-0"), p);
	}

	/* --- small helpers --- */

	private interface Condition {
		boolean holds() throws Exception;
	}

	private static void await(String what, Condition c) throws Exception {
		for (int i = 0; i < 600; i++) {
			if (c.holds())
				return;
			Thread.sleep(100);
		}
		throw new IOException("waited in vain for " + what);
	}

	private static void demand(boolean holds, String what) {
		if (!holds)
			throw new IllegalStateException("not as meant: "
			    + what);
	}

	private static List<Path> list(Path dir) throws IOException {
		try (Stream<Path> s = Files.list(dir)) {
			return s.sorted().toList();
		}
	}

	private static List<Path> segments(Path dir) throws IOException {
		return list(dir).stream()
		    .filter(p -> p.toString().endsWith(".log")).toList();
	}

	private static long count(Path dir, Predicate<String> p)
	    throws IOException {
		return list(dir).stream()
		    .filter(f -> p.test(f.getFileName().toString())).count();
	}

	private static long baseOffset(Path log) {
		return Long.parseLong(log.getFileName().toString()
		    .substring(0, 20));
	}

	private static void say(String s) {
		System.err.println(s);
	}

	public static void main(String[] args) throws Exception {
		new Golden(Path.of(args[0]), Path.of(args[1])).run();
	}
}
