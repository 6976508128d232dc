import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;

/*
 * Records of every awkward shape, the same ones for the same seed: null, empty
 * and non UTF-8 keys and values, values with line feeds, tabs and NULs,
 * headers with repeated and empty names and with null and empty values,
 * timestamps that now and then run backwards.
 */
class Shapes {
	static final long START_MS = 1700000000000L;

	private final Random random;
	private final String topic;
	private int count;

	Shapes(String topic, long seed) {
		this.topic = topic;
		random = new Random(seed);
	}

	ProducerRecord<byte[], byte[]> next() {
		int i = count++;
		ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic,
		    0, timestamp(i), key(i), value(i));
		addHeaders(r.headers(), i);
		return r;
	}

	/* About len bytes that compress, but not to nothing. */
	ProducerRecord<byte[], byte[]> nextLong(int len) {
		int i = count++;
		StringBuilder s = new StringBuilder();
		while (s.length() < len)
			s.append("line " + random.nextInt(10000) + " of record "
			    + i + "\n");
		return new ProducerRecord<>(topic, 0, timestamp(i),
		    bytes("long-" + i), bytes(s.toString()));
	}

	static byte[] bytes(String s) {
		return s.getBytes(StandardCharsets.UTF_8);
	}

	private static long timestamp(int i) {
		long t = START_MS + i * 1000L;
		return i % 8 == 7 ? t - 5500 : t;
	}

	private byte[] key(int i) {
		if (i % 7 == 0)
			return null;
		if (i % 11 == 0)
			return new byte[0];
		if (i % 13 == 0)
			return new byte[] { (byte)0xff, (byte)0xc0, 0,
				(byte)i };
		return bytes("key-" + i % 40);
	}

	private byte[] value(int i) {
		if (i % 10 == 3)
			return null;
		if (i % 17 == 0)
			return new byte[0];
		if (i % 9 == 4)
			return randomBytes(random.nextInt(40));
		if (i % 19 == 0)
			return bytes("two\nlines\tand a tab\r\nand a NUL \0.");
		return bytes("value " + i + " of " + random.nextInt(1000000));
	}

	private byte[] randomBytes(int len) {
		byte[] b = new byte[len];
		random.nextBytes(b);
		return b;
	}

	private void addHeaders(Headers h, int i) {
		if (i % 5 == 0) {
			h.add("trace", bytes("a" + i));
			h.add("trace", bytes("b" + i));
			h.add("trace", null);
		}
		if (i % 12 == 0) {
			h.add("", bytes("nameless"));
			h.add("empty", new byte[0]);
		}
		if (i % 25 == 0)
			h.add("gr\u00f6\u00dfe", randomBytes(9));
	}
}
