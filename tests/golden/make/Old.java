import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;

/*
 * Message sets of the formats before 0.11 (magic 0 and 1). No broker of today
 * writes them; the encoder of the clients' jar still can.
 */
class Old {
	static final int PLAIN = 20;
	static final int WRAPPED = 5;

	/*
	 * Replace the empty log in a partition directory by one of old
	 * messages: plain ones, then one wrapper message per codec. Indexes
	 * are left for the broker to make.
	 */
	static void install(Path partition, byte magic) throws IOException {
		try (Stream<Path> all = Files.list(partition)) {
			for (Path p : (Iterable<Path>)all::iterator)
				if (!p.endsWith("partition.metadata"))
					Files.delete(p);
		}
		Path log = partition.resolve("00000000000000000000.log");
		try (FileChannel out = FileChannel.open(log,
			 StandardOpenOption.CREATE_NEW,
			 StandardOpenOption.WRITE)) {
			write(out, magic);
		}
	}

	private static void write(FileChannel out, byte magic)
	    throws IOException {
		long next = 0;
		next = set(out, magic, Compression.NONE, next, PLAIN);
		for (Compression c : List.of(Compression.gzip().build(),
			 Compression.snappy().build(),
			 Compression.lz4().build()))
			next = set(out, magic, c, next, WRAPPED);
		set(out, magic, Compression.NONE, next, PLAIN);
	}

	private static long set(FileChannel out, byte magic, Compression c,
	    long first, int count) throws IOException {
		MemoryRecordsBuilder b = MemoryRecords.builder(
		    ByteBuffer.allocate(65536), magic, c,
		    magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE
			       : TimestampType.CREATE_TIME, first);
		for (long o = first; o < first + count; o++)
			b.append(magic == 0 ? RecordBatch.NO_TIMESTAMP
					    : Shapes.START_MS + o * 1000,
			    o % 7 == 0 ? null : Shapes.bytes("key-" + o % 5),
			    o % 10 == 3 ? null
				: o % 6 == 5 ? new byte[0]
				: Shapes.bytes("old value " + o));
		MemoryRecords m = b.build();
		m.writeFullyTo(out);
		return first + count;
	}
}
