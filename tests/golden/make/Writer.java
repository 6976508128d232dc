import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/*
 * A producer that sends only when told to: what lies between two calls of
 * flush() is one batch.
 */
class Writer implements AutoCloseable {
	private final KafkaProducer<byte[], byte[]> producer;
	private Future<?> last;

	Writer(Broker broker, String... settings) {
		Map<String, Object> p = new HashMap<>(Map.of(
		    "bootstrap.servers", broker.address(),
		    "linger.ms", "600000",
		    "delivery.timeout.ms", "700000",
		    "batch.size", "524288"));
		for (int i = 0; i < settings.length; i += 2)
			p.put(settings[i], settings[i + 1]);
		producer = new KafkaProducer<>(p, new ByteArraySerializer(),
		    new ByteArraySerializer());
		if (p.containsKey("transactional.id"))
			producer.initTransactions();
	}

	/* A writer without a producer id, as before idempotence. */
	static Writer plain(Broker broker) {
		return new Writer(broker, "enable.idempotence", "false");
	}

	static Writer transactional(Broker broker, String id, String codec) {
		return new Writer(broker, "transactional.id", id,
		    "compression.type", codec, "transaction.timeout.ms",
		    "900000");
	}

	void add(ProducerRecord<byte[], byte[]> r) {
		last = producer.send(r);
	}

	void flush() throws Exception {
		producer.flush();
		if (last != null)
			last.get();
	}

	void batch(Shapes shapes, int count) throws Exception {
		for (int i = 0; i < count; i++)
			add(shapes.next());
		flush();
	}

	void begin() {
		producer.beginTransaction();
	}

	void commit() {
		producer.commitTransaction();
	}

	void abort() {
		producer.abortTransaction();
	}

	/* Vanish, as a process that is killed; an open transaction stays. */
	void abandon() {
		producer.close(Duration.ZERO);
	}

	@Override
	public void close() {
		producer.close();
	}
}
