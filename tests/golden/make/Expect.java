import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData.OffsetForLeaderPartition;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData.OffsetForLeaderTopic;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData.OffsetForLeaderTopicCollection;
import org.apache.kafka.common.message.OffsetForLeaderEpochResponseData.EpochEndOffset;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.OffsetsForLeaderEpochRequest;
import org.apache.kafka.common.requests.OffsetsForLeaderEpochResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/*
 * What the broker and its console consumer say of partition 0 of a topic,
 * written into one folder as files named expected.*
 */
class Expect {
	private static final int TIMES = 12;

	private final Broker broker;
	private final String topic;
	private final TopicPartition partition;
	private final Path out;

	Expect(Broker broker, String topic, Path out) {
		this.broker = broker;
		this.topic = topic;
		this.partition = new TopicPartition(topic, 0);
		this.out = out;
	}

	void write(boolean uncommittedToo) throws Exception {
		writeRecords("read_committed", "expected");
		if (uncommittedToo)
			writeRecords("read_uncommitted",
			    "expected.uncommitted");
		writeOffsets();
		writeTimes();
	}

	/* Lines "epoch asked for, epoch answered, end offset". */
	void writeEpochs(int upTo) throws Exception {
		StringBuilder s = new StringBuilder();
		for (int e = 0; e <= upTo; e++) {
			EpochEndOffset a = askEpoch(e);
			s.append(e + " " + a.leaderEpoch() + " "
			    + a.endOffset() + "\n");
		}
		Files.writeString(out.resolve("expected.epochs"), s);
	}

	private void writeRecords(String isolation, String name)
	    throws Exception {
		List<ConsumerRecord<byte[], byte[]>> all = consume(isolation);
		StringBuilder s = new StringBuilder();
		for (ConsumerRecord<byte[], byte[]> r : all)
			s.append(json(r)).append('\n');
		Files.writeString(out.resolve(name + ".jsonl"), s);
		console(isolation, all.size(), name + ".values");
		console(isolation, all.size(), name + ".full",
		    "print.timestamp=true", "print.offset=true",
		    "print.partition=true", "print.headers=true",
		    "print.key=true", "print.value=true", "null.literal=NULL");
	}

	/* From the log start to the end that this isolation level may see. */
	private List<ConsumerRecord<byte[], byte[]>> consume(String isolation) {
		List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
		try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(
			 Map.of("bootstrap.servers", broker.address(),
			     "isolation.level", isolation,
			     "enable.auto.commit", "false"),
			 new ByteArrayDeserializer(),
			 new ByteArrayDeserializer())) {
			List<TopicPartition> tp = List.of(partition);
			c.assign(tp);
			c.seekToBeginning(tp);
			long end = c.endOffsets(tp).get(partition);
			while (c.position(partition) < end)
				c.poll(Duration.ofMillis(200))
				    .forEach(all::add);
		}
		return all;
	}

	private void console(String isolation, int count, String name,
	    String... properties) throws Exception {
		List<String> a = new ArrayList<>(List.of(
		    "org.apache.kafka.tools.consumer.ConsoleConsumer",
		    "--bootstrap-server", broker.address(), "--topic", topic,
		    "--partition", "0", "--offset", "earliest",
		    "--isolation-level", isolation, "--max-messages",
		    Integer.toString(count), "--timeout-ms", "30000"));
		for (String p : properties) {
			a.add("--property");
			a.add(p);
		}
		Path to = out.resolve(name);
		Path err = out.resolve(name + ".err");
		Broker.java(to, a.toArray(new String[0]));
		if (!Files.readString(err).contains(
			"Processed a total of " + count + " messages"))
			throw new Exception(Files.readString(err));
		Files.delete(err);
	}

	/* "log_start high_watermark last_stable log_end" */
	private void writeOffsets() throws Exception {
		try (Admin a = broker.admin()) {
			IsolationLevel all = IsolationLevel.READ_UNCOMMITTED;
			IsolationLevel stable = IsolationLevel.READ_COMMITTED;
			Files.writeString(out.resolve("expected.offsets"),
			    list(a, OffsetSpec.earliest(), all) + " "
			    + list(a, OffsetSpec.latest(), all) + " "
			    + list(a, OffsetSpec.latest(), stable) + " "
			    + broker.gauge(topic, "LogEndOffset") + "\n");
		}
	}

	/* Lines "timestamp offset", offset -1 where nothing is that late. */
	private void writeTimes() throws Exception {
		TreeSet<Long> seen = new TreeSet<>();
		consume("read_uncommitted").forEach(
		    r -> seen.add(r.timestamp()));
		List<Long> sorted = new ArrayList<>(seen);
		TreeSet<Long> ask = new TreeSet<>(List.of(0L));
		for (int i = 0; i <= TIMES; i++) {
			long t = sorted.get((sorted.size() - 1) * i / TIMES);
			ask.addAll(List.of(t - 1, t, t + 1));
		}
		StringBuilder s = new StringBuilder();
		try (Admin a = broker.admin()) {
			for (long t : ask.tailSet(0L))
				s.append(t + " " + list(a,
				    OffsetSpec.forTimestamp(t),
				    IsolationLevel.READ_UNCOMMITTED) + "\n");
		}
		Files.writeString(out.resolve("expected.times"), s);
	}

	private long list(Admin a, OffsetSpec spec, IsolationLevel level)
	    throws Exception {
		return a.listOffsets(Map.of(partition, spec),
			new ListOffsetsOptions(level))
		    .partitionResult(partition).get().offset();
	}

	/* No public client call asks this, so the request is sent by hand. */
	private EpochEndOffset askEpoch(int epoch) throws Exception {
		OffsetForLeaderTopicCollection topics =
		    new OffsetForLeaderTopicCollection();
		topics.add(new OffsetForLeaderTopic().setTopic(topic)
		    .setPartitions(List.of(new OffsetForLeaderPartition()
			.setPartition(0).setLeaderEpoch(epoch)
			.setCurrentLeaderEpoch(-1))));
		short version = 4;
		ByteBuffer ask = OffsetsForLeaderEpochRequest.Builder
		    .forConsumer(topics).build(version)
		    .serializeWithHeader(header(version));
		try (Socket s = new Socket("127.0.0.1", broker.port)) {
			DataOutputStream o = new DataOutputStream(
			    s.getOutputStream());
			o.writeInt(ask.remaining());
			o.write(ask.array(), ask.arrayOffset()
			    + ask.position(), ask.remaining());
			DataInputStream i = new DataInputStream(
			    s.getInputStream());
			byte[] answer = i.readNBytes(i.readInt());
			return ((OffsetsForLeaderEpochResponse)AbstractResponse
			    .parseResponse(ByteBuffer.wrap(answer),
				header(version))).data().topics().find(topic)
			    .partitions().get(0);
		}
	}

	private static RequestHeader header(short version) {
		return new RequestHeader(ApiKeys.OFFSET_FOR_LEADER_EPOCH,
		    version, "golden", 1);
	}

	private static String json(ConsumerRecord<byte[], byte[]> r) {
		List<String> h = new ArrayList<>();
		for (Header x : r.headers())
			h.add("{\"key_base64\":" + base64(Shapes.bytes(x.key()))
			    + ",\"value_base64\":" + base64(x.value()) + "}");
		return "{\"offset\":" + r.offset() + ",\"timestamp\":"
		    + r.timestamp() + ",\"key_base64\":" + base64(r.key())
		    + ",\"value_base64\":" + base64(r.value())
		    + ",\"headers\":[" + String.join(",", h) + "]}";
	}

	private static String base64(byte[] b) {
		return b == null ? "null"
		    : '"' + Base64.getEncoder().encodeToString(b) + '"';
	}
}
