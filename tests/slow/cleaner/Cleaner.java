import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;

/*
 * Cleaner DIR OUT SEED: partitions before and after Kafka's log cleaner.
 *
 * OUT/TOPIC/1 has the log before the first cleaning, OUT/TOPIC/1-kafka what the
 * broker made of it; 2 and 2-kafka the same of that with more records behind it.
 * Null keys, which a compacted topic does not take, are written while the topic
 * is not one yet.
 */
public class Cleaner {
	private static final Map<String, String> NO_CLEANING =
	    Map.of("log.cleaner.enable", "false");
	private static final String[] CODECS = { "none", "gzip", "snappy",
	    "lz4", "zstd" };
	private final Path dir;
	private final Path out;
	private final Random random;
	private final List<String> topics =
	    List.of("plain", "idempotent", "txn");
	private Broker broker;
	private int value;

	private Cleaner(Path dir, Path out, long seed) {
		this.dir = dir;
		this.out = out;
		random = new Random(seed);
	}

	public static void main(String[] args) throws Exception {
		new Cleaner(Path.of(args[0]), Path.of(args[1]),
		    Long.parseLong(args[2])).run();
	}

	private void run() throws Exception {
		broker = new Broker(dir, NO_CLEANING);
		createTopics();
		write(true);
		stopAndKeep("1");
		clean("1-kafka");
		broker = new Broker(dir, NO_CLEANING);
		write(false);
		stopAndKeep("2");
		clean("2-kafka");
	}

	private void createTopics() throws Exception {
		Map<String, String> settings = new HashMap<>(Map.of(
		    "segment.bytes", "6000", "index.interval.bytes", "500",
		    "retention.ms", "-1", "min.cleanable.dirty.ratio", "0.01",
		    "delete.retention.ms", "1", "file.delete.delay.ms", "50"));
		try (Admin a = broker.admin()) {
			a.createTopics(topics.stream()
				.map(t -> new NewTopic(t, 1, (short)1)
					.configs(settings))
				.toList()).all().get();
		}
	}

	/* The broker cleans until nothing is left to do. */
	private void clean(String name) throws Exception {
		broker = new Broker(dir, Map.of());
		try (Admin a = broker.admin()) {
			for (String t : topics)
				a.incrementalAlterConfigs(Map.of(
				    new ConfigResource(
					ConfigResource.Type.TOPIC, t),
				    List.of(new AlterConfigOp(new ConfigEntry(
					"cleanup.policy", "compact"),
					AlterConfigOp.OpType.SET))))
				    .all().get();
		}
		for (String t : topics)
			awaitCleaning(t);
		stopAndKeep(name);
	}

	private void write(boolean nullKeys) throws Exception {
		for (String codec : CODECS)
			try (Writer w = new Writer(broker, "enable.idempotence",
				"false", "compression.type", codec)) {
				batches(w, "plain", nullKeys, 12);
			}
		for (String codec : CODECS)
			try (Writer w = new Writer(broker, "compression.type",
				codec)) {
				batches(w, "idempotent", nullKeys, 12);
			}
		/* One whose records are all replaced by the others'. */
		try (Writer w = new Writer(broker)) {
			w.add(record("idempotent", "k0", "of a short life"));
			w.flush();
		}
		try (Writer w = new Writer(broker)) {
			for (int i = 0; i < 40; i++)
				w.add(record("idempotent", "k" + i, "last"));
			w.flush();
		}
		transactions();
	}

	private void transactions() throws Exception {
		List<Writer> writers = new ArrayList<>();
		for (int i = 0; i < 3; i++)
			writers.add(Writer.transactional(broker, "w" + i,
			    CODECS[i]));
		for (int i = 0; i < 60; i++) {
			Writer w = writers.get(random.nextInt(3));
			w.begin();
			batches(w, "txn", false, 1 + random.nextInt(2));
			if (random.nextInt(3) == 0)
				w.abort();
			else
				w.commit();
		}
		for (Writer w : writers)
			w.close();
		try (Writer w = Writer.plain(broker)) {
			batches(w, "txn", false, 30);
		}
	}

	private void batches(Writer w, String topic, boolean nullKeys, int n)
	    throws Exception {
		for (int i = 0; i < n; i++) {
			for (int k = 1 + random.nextInt(12); k > 0; k--)
				w.add(random(topic, nullKeys));
			w.flush();
		}
	}

	private ProducerRecord<byte[], byte[]> random(String topic,
	    boolean nullKeys) {
		String key = "k" + random.nextInt(150);
		if (nullKeys && random.nextInt(20) == 0)
			key = null;
		return record(topic, key,
		    random.nextInt(8) == 0 ? null : "value " + value++);
	}

	private ProducerRecord<byte[], byte[]> record(String topic, String key,
	    String value) {
		ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic,
		    bytes(key), bytes(value));
		if (random.nextInt(5) == 0)
			r.headers().add(new RecordHeader("h", bytes("x")));
		return r;
	}

	private static byte[] bytes(String s) {
		return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
	}

	/* --- the broker's own word that it has cleaned ---------------------- */

	private void awaitCleaning(String t) throws Exception {
		Path d = broker.data().resolve(t + "-0");
		for (int i = 0; i < 600; i++) {
			if (checkpointed(t) >= lastBase(d) && isQuiet(d))
				return;
			Thread.sleep(100);
		}
		throw new IOException(t + " is not cleaned");
	}

	private static List<String> names(Path d) throws IOException {
		try (Stream<Path> s = Files.list(d)) {
			return s.map(p -> p.getFileName().toString()).toList();
		}
	}

	private static boolean isQuiet(Path d) throws IOException {
		return names(d).stream().noneMatch(n -> n.endsWith(".deleted")
		    || n.endsWith(".swap") || n.endsWith(".cleaned"));
	}

	private static long lastBase(Path d) throws IOException {
		return names(d).stream().filter(n -> n.endsWith(".log"))
		    .mapToLong(n -> Long.parseLong(n.replace(".log", "")))
		    .max().getAsLong();
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

	private void stopAndKeep(String name) throws Exception {
		Path data = broker.data();
		broker.close();
		for (String t : topics) {
			Path from = data.resolve(t + "-0");
			Path to = out.resolve(t).resolve(name);
			Files.createDirectories(to);
			for (String n : names(from))
				Files.copy(from.resolve(n), to.resolve(n));
		}
	}
}
