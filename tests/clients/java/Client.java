import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/* The driver of the Java client; its commands are in README.md. */
class Client {
	private static final PrintStream out = new PrintStream(
	    new java.io.FileOutputStream(java.io.FileDescriptor.out), true,
	    StandardCharsets.UTF_8);

	private static void say(Object... fields) {
		join(" ", fields);
	}

	private static void join(String separator, Object... fields) {
		List<String> text = new ArrayList<>();
		for (Object f : fields)
			text.add(String.valueOf(f));
		out.print(String.join(separator, text) + "\n");
		out.flush();
	}

	private static String text(byte[] data) {
		return data == null ? "~"
				    : new String(data, StandardCharsets.UTF_8);
	}

	private static byte[] bytes(String field) {
		return field.equals("~")
		    ? null
		    : field.getBytes(StandardCharsets.UTF_8);
	}

	private static Map<String, String> options(String[] args, int from) {
		Map<String, String> found = new HashMap<>();
		for (int i = from; i < args.length; i++) {
			String[] pair = args[i].split("=", 2);
			found.put(pair[0], pair[1]);
		}
		return found;
	}

	private static Map<String, Object> base() {
		Map<String, Object> conf = new HashMap<>();
		conf.put("bootstrap.servers", System.getenv("BROKER_ADDRESS"));
		return conf;
	}

	private static ProducerRecord<byte[], byte[]> parse(String topic,
	    String line) {
		String[] f = line.split("\t", -1);
		ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic,
		    Integer.valueOf(f[0]),
		    f[1].equals("-") ? null : Long.valueOf(f[1]), bytes(f[2]),
		    bytes(f[3]));
		for (String pair : f[4].split(",")) {
			String[] p = pair.split("=", 2);
			if (p.length == 2)
				r.headers().add(p[0], bytes(p[1]));
		}
		return r;
	}

	private static void acked(Future<RecordMetadata> f) throws Exception {
		say(f.get().partition(), f.get().offset());
	}

	private static void produce(String[] args) throws Exception {
		Map<String, String> chosen = options(args, 2);
		boolean each = "yes".equals(chosen.get("each"));
		Map<String, Object> conf = base();
		conf.put("compression.type",
		    chosen.getOrDefault("codec", "none"));
		conf.put("enable.idempotence",
		    "yes".equals(chosen.get("idempotent")));
		conf.put("acks", "all");
		conf.put("linger.ms", each ? 0 : 100);
		conf.put("max.request.size",
		    chosen.getOrDefault("max", "1048576"));
		List<Future<RecordMetadata>> sent = new ArrayList<>();
		BufferedReader in = new BufferedReader(new InputStreamReader(
		    System.in, StandardCharsets.UTF_8));
		try (KafkaProducer<byte[], byte[]> p = new KafkaProducer<>(conf,
			 new ByteArraySerializer(), new ByteArraySerializer())) {
			for (String line; (line = in.readLine()) != null;) {
				sent.add(p.send(parse(args[1], line)));
				if (each)
					acked(sent.remove(0));
			}
			p.flush();
			for (Future<RecordMetadata> f : sent)
				acked(f);
		}
	}

	private static KafkaConsumer<byte[], byte[]> consumer(
	    Map<String, Object> conf) {
		conf.put("enable.auto.commit", "false");
		return new KafkaConsumer<>(conf, new ByteArrayDeserializer(),
		    new ByteArrayDeserializer());
	}

	private static void record(ConsumerRecord<byte[], byte[]> r) {
		List<String> headers = new ArrayList<>();
		for (Header h : r.headers())
			headers.add(h.key() + "=" + text(h.value()));
		join("\t", r.offset(), r.timestamp(), text(r.key()),
		    text(r.value()), String.join(",", headers));
	}

	private static void consume(String[] args) {
		int wait = Integer.parseInt(
		    options(args, 5).getOrDefault("wait", "500"));
		int left = Integer.parseInt(args[4]);
		Map<String, Object> conf = base();
		conf.put("fetch.max.wait.ms", wait);
		conf.put("request.timeout.ms", wait + 60000);
		TopicPartition where = new TopicPartition(args[1],
		    Integer.parseInt(args[2]));
		KafkaConsumer<byte[], byte[]> c = consumer(conf);
		c.assign(List.of(where));
		c.seek(where, Long.parseLong(args[3]));
		while (left > 0) {
			for (ConsumerRecord<byte[], byte[]> r :
			    c.poll(Duration.ofSeconds(1))) {
				if (left-- > 0)
					record(r);
			}
		}
		/* Closing would wait for the fetch that is under way. */
		System.exit(0);
	}

	/* Says what the member has; it is told of the difference alone. */
	private static class Assigned implements ConsumerRebalanceListener {
		private final TreeSet<Integer> mine = new TreeSet<>();

		@Override
		public void onPartitionsRevoked(
		    Collection<TopicPartition> list) {
			list.forEach(p -> mine.remove(p.partition()));
		}

		@Override
		public void onPartitionsAssigned(
		    Collection<TopicPartition> list) {
			list.forEach(p -> mine.add(p.partition()));
			List<Object> line = new ArrayList<>(List.of("assigned"));
			line.addAll(mine);
			say(line.toArray());
		}
	}

	private static void member(String[] args) throws Exception {
		Map<String, String> chosen = options(args, 3);
		Map<String, Object> conf = base();
		conf.put("group.id", args[1]);
		conf.put("auto.offset.reset", "earliest");
		conf.put("session.timeout.ms",
		    chosen.getOrDefault("session", "6000"));
		conf.put("heartbeat.interval.ms", "500");
		if (chosen.containsKey("instance"))
			conf.put("group.instance.id", chosen.get("instance"));
		KafkaConsumer<byte[], byte[]> c = consumer(conf);
		CountDownLatch closed = new CountDownLatch(1);
		Runtime.getRuntime().addShutdownHook(new Thread(() -> {
			c.wakeup();
			try {
				closed.await();
			} catch (InterruptedException e) {
				return;
			}
			/* Not the status of a signal: it ended as asked. */
			Runtime.getRuntime().halt(0);
		}));
		try {
			c.subscribe(List.of(args[2]), new Assigned());
			while (true)
				step(c);
		} catch (WakeupException e) {
			c.close();
		} finally {
			closed.countDown();
		}
	}

	private static void step(KafkaConsumer<byte[], byte[]> c) {
		for (ConsumerRecord<byte[], byte[]> r :
		    c.poll(Duration.ofMillis(100)))
			join("\t", r.partition(), r.offset(), text(r.value()));
		try {
			c.commitSync();
		} catch (CommitFailedException | RebalanceInProgressException e) {
			/* The group moved on: it is read again. */
		}
	}

	private static void offset(Admin a, String[] args) throws Exception {
		TopicPartition where = new TopicPartition(args[1],
		    Integer.parseInt(args[2]));
		OffsetSpec spec = args[3].equals("earliest")
		    ? OffsetSpec.earliest()
		    : args[3].equals("latest")
		    ? OffsetSpec.latest()
		    : OffsetSpec.forTimestamp(Long.parseLong(args[3]));
		say(a.listOffsets(Map.of(where, spec)).partitionResult(where)
			.get().offset());
	}

	private static ConfigResource topic(String name) {
		return new ConfigResource(ConfigResource.Type.TOPIC, name);
	}

	private static void create(Admin a, String[] args) throws Exception {
		NewTopic t = new NewTopic(args[1],
		    Optional.of(Integer.valueOf(args[2])),
		    Optional.of((short)1));
		a.createTopics(List.of(t.configs(options(args, 3)))).all().get();
	}

	/* What describes topics has other names in each version. */
	private static void count(String topic) {
		try (KafkaConsumer<byte[], byte[]> c = consumer(base())) {
			say(c.partitionsFor(topic).size());
		}
	}

	private static void alter(Admin a, String[] args) throws Exception {
		a.incrementalAlterConfigs(Map.of(topic(args[1]),
		    List.of(new AlterConfigOp(new ConfigEntry(args[2], args[3]),
			AlterConfigOp.OpType.SET)))).all().get();
	}

	private static void trim(Admin a, String[] args) throws Exception {
		TopicPartition where = new TopicPartition(args[1],
		    Integer.parseInt(args[2]));
		say(a.deleteRecords(Map.of(where, RecordsToDelete.beforeOffset(
		    Long.parseLong(args[3])))).lowWatermarks().get(where).get()
		    .lowWatermark());
	}

	@SuppressWarnings({ "deprecation", "removal" })
	private static void group(Admin a, String name) throws Exception {
		ConsumerGroupDescription g = a.describeConsumerGroups(
		    List.of(name)).all().get().get(name);
		say(g.state(), g.members().size());
	}

	@SuppressWarnings({ "deprecation", "removal" })
	private static void groups(Admin a) throws Exception {
		a.listConsumerGroups().all().get().forEach(
		    g -> say(g.groupId()));
	}

	private static void committed(Admin a, String[] args)
	    throws Exception {
		a.listConsumerGroupOffsets(args[1])
		    .partitionsToOffsetAndMetadata().get().forEach((p, o) -> {
			    if (p.topic().equals(args[2]))
				    say(p.partition(), o.offset());
		    });
	}

	private static void cluster(Admin a) throws Exception {
		for (Node n : a.describeCluster().nodes().get())
			say("node", n.id(), n.host() + ":" + n.port());
		say("controller",
		    a.describeCluster().controller().get().id());
	}

	/* long: a flat switch over the commands. */
	private static void admin(Admin a, String[] args) throws Exception {
		switch (args[0]) {
		case "create":
			create(a, args);
			break;
		case "delete":
			a.deleteTopics(List.of(args[1])).all().get();
			break;
		case "topics":
			a.listTopics().names().get().forEach(Client::say);
			break;
		case "count":
			count(args[1]);
			break;
		case "grow":
			a.createPartitions(Map.of(args[1],
			    NewPartitions.increaseTo(
				Integer.parseInt(args[2])))).all().get();
			break;
		case "offset":
			offset(a, args);
			break;
		case "config":
			say(a.describeConfigs(List.of(topic(args[1]))).all()
				.get().get(topic(args[1])).get(args[2])
				.value());
			break;
		case "alter":
			alter(a, args);
			break;
		case "trim":
			trim(a, args);
			break;
		case "groups":
			groups(a);
			break;
		case "group":
			group(a, args[1]);
			break;
		case "drop":
			a.deleteConsumerGroups(List.of(args[1])).all().get();
			break;
		case "committed":
			committed(a, args);
			break;
		case "cluster":
			cluster(a);
			break;
		default:
			System.exit(77);
		}
	}

	private static void run(String[] args) throws Exception {
		switch (args[0]) {
		case "produce":
			produce(args);
			break;
		case "consume":
			consume(args);
			break;
		case "member":
			member(args);
			break;
		default:
			try (Admin a = Admin.create(base())) {
				admin(a, args);
			}
		}
	}

	public static void main(String[] args) throws Exception {
		try {
			run(args);
		} catch (ExecutionException e) {
			say("error", Errors.forException(e.getCause()).code());
			e.printStackTrace();
			System.exit(1);
		}
	}
}
