import com.sun.tools.attach.VirtualMachine;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;

/*
 * One real Kafka broker (KRaft, broker and controller in one process) as a
 * child process on loopback. Ports are whatever was free; the data lie in
 * dir/data and outlive the process, so that a later run continues them.
 */
class Broker implements AutoCloseable {
	private final Path dir;
	private final Process process;
	final int port;

	/* Start over dir, formatting it first if it is new. */
	Broker(Path dir, Map<String, String> overrides) throws Exception {
		this.dir = dir;
		int[] ports = freePorts();
		port = ports[0];
		Path conf = dir.resolve("server.properties");
		writeConfig(conf, ports, overrides);
		if (!Files.exists(data().resolve("meta.properties")))
			java(dir.resolve("format.out"),
			    "kafka.tools.StorageTool", "format", "-t",
			    Uuid.randomUuid().toString(), "-c",
			    conf.toString());
		process = spawn(dir.resolve("broker.out"), "kafka.Kafka",
		    conf.toString());
		Runtime.getRuntime().addShutdownHook(
		    new Thread(process::destroyForcibly));
		waitUntilUp();
	}

	Path data() {
		return dir.resolve("data");
	}

	String address() {
		return "127.0.0.1:" + port;
	}

	Admin admin() {
		return Admin.create(Map.of("bootstrap.servers", address()));
	}

	/* A number that the broker itself shows for partition 0 of a topic. */
	long gauge(String topic, String name) throws Exception {
		try (JMXConnector c = JMXConnectorFactory.connect(
			 new JMXServiceURL(jmxAddress()))) {
			MBeanServerConnection m = c.getMBeanServerConnection();
			ObjectName n = new ObjectName(
			    "kafka.log:type=Log,name=" + name + ",topic="
			    + topic + ",partition=0");
			return ((Number)m.getAttribute(n, "Value")).longValue();
		}
	}

	/* Stop as an operator would; an unclean stop is an error. */
	@Override
	public void close() throws Exception {
		process.destroy();
		if (!process.waitFor(120, TimeUnit.SECONDS))
			throw new IOException("the broker does not stop");
		if (!Files.exists(data().resolve(".kafka_cleanshutdown")))
			throw new IOException("the broker stopped uncleanly");
	}

	/* Run a class of Kafka's to its end, its output into a file. */
	static void java(Path out, String... args) throws Exception {
		int rc = spawn(out, args).waitFor();
		if (rc != 0)
			throw new IOException(String.join(" ", args) + ": exit "
			    + rc + ": " + Files.readString(out.resolveSibling(
			    out.getFileName() + ".err")));
	}

	private static Process spawn(Path out, String... args)
	    throws IOException {
		List<String> c = new ArrayList<>(List.of(
		    System.getProperty("java.home") + "/bin/java", "-Xmx512m",
		    "-XX:TieredStopAtLevel=1", "-cp",
		    System.getProperty("java.class.path")));
		c.addAll(List.of(args));
		return new ProcessBuilder(c)
		    .redirectOutput(out.toFile())
		    .redirectError(out.resolveSibling(
			out.getFileName() + ".err").toFile())
		    .start();
	}

	/* Below those that the kernel gives to others until we use them. */
	private static int[] freePorts() throws IOException {
		try (ServerSocket a = freePort(); ServerSocket b = freePort()) {
			return new int[] { a.getLocalPort(), b.getLocalPort() };
		}
	}

	private static ServerSocket freePort() throws IOException {
		InetAddress lo = InetAddress.getLoopbackAddress();
		for (int i = 0;; i++) {
			int port = 12000 + new Random().nextInt(20000);
			try {
				return new ServerSocket(port, 1, lo);
			} catch (IOException e) {
				if (i == 100)
					throw e;
			}
		}
	}

	private void writeConfig(Path conf, int[] ports,
	    Map<String, String> overrides) throws IOException {
		Map<String, String> p = new TreeMap<>();
		p.put("process.roles", "broker,controller");
		p.put("node.id", "1");
		p.put("listeners", "PLAINTEXT://127.0.0.1:" + ports[0]
		    + ",CONTROLLER://127.0.0.1:" + ports[1]);
		p.put("controller.listener.names", "CONTROLLER");
		p.put("controller.quorum.voters", "1@127.0.0.1:" + ports[1]);
		p.put("log.dirs", data().toString());
		p.put("auto.create.topics.enable", "false");
		p.put("offsets.topic.replication.factor", "1");
		p.put("offsets.topic.num.partitions", "1");
		p.put("transaction.state.log.replication.factor", "1");
		p.put("transaction.state.log.min.isr", "1");
		p.put("transaction.state.log.num.partitions", "1");
		p.put("group.initial.rebalance.delay.ms", "0");
		p.put("log.initial.task.delay.ms", "100");
		p.put("log.retention.check.interval.ms", "500");
		p.put("log.cleaner.backoff.ms", "100");
		p.put("log.cleaner.dedupe.buffer.size", "2097152");
		p.putAll(overrides);
		StringBuilder s = new StringBuilder();
		p.forEach((k, v) -> s.append(k + "=" + v + "\n"));
		Files.createDirectories(dir);
		Files.writeString(conf, s);
	}

	private void waitUntilUp() throws Exception {
		for (int i = 0;; i++) {
			if (!process.isAlive())
				throw new IOException("the broker fell: "
				    + Files.readString(dir.resolve(
				    "broker.out.err")));
			try (Admin a = admin()) {
				a.describeCluster().nodes().get(2,
				    TimeUnit.SECONDS);
				return;
			} catch (Exception e) {
				if (i == 60)
					throw e;
			}
		}
	}

	private String jmxAddress() throws Exception {
		VirtualMachine vm = VirtualMachine.attach(
		    Long.toString(process.pid()));
		try {
			return vm.startLocalManagementAgent();
		} finally {
			vm.detach();
		}
	}
}
