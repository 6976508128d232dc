// The driver of @platformatic/kafka; its commands are in README.md.
import { createRequire } from 'node:module';
import readline from 'node:readline';
import zlib from 'node:zlib';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.CLIENT_MODULES + '/');
const { Admin, Consumer, Producer } = await import(
    pathToFileURL(require.resolve('@platformatic/kafka')));
const base = {
	clientId: 'driver',
	bootstrapBrokers: [process.env.BROKER_ADDRESS],
	retries: 8,
	requestTimeout: 200000,
};
const say = (...fields) => process.stdout.write(fields.join(' ') + '\n');
const text = (data) => (data === null || data === undefined ? '~' :
	data.toString());
const unnull = (field) => (field === '~' ? null : Buffer.from(field));
const options = (words) => Object.fromEntries(words.map((w) => {
	const at = w.indexOf('=');
	return [w.slice(0, at), w.slice(at + 1)];
}));

function cannot(why) {
	console.error(why);
	process.exit(77);
}

// A line to produce: partition, time, key, value, headers.
function parse(topic, line) {
	const [partition, time, key, value, headers] = line.split('\t');
	const message = { topic, partition: Number(partition), headers: new Map() };
	if (key !== '~')
		message.key = unnull(key);
	if (value !== '~')
		message.value = unnull(value);
	if (time !== '-')
		message.timestamp = BigInt(time);
	for (const pair of headers.split(',').filter((p) => p)) {
		const at = pair.indexOf('=');
		const name = pair.slice(0, at);
		const data = unnull(pair.slice(at + 1));
		if (data === null)
			cannot('no header without a value');
		if ([...message.headers.keys()].some((k) => k.equals(
		    Buffer.from(name))))
			cannot('headers of one name are one');
		message.headers.set(Buffer.from(name), data);
	}
	return message;
}

async function send(producer, settings, messages) {
	const { offsets } = await producer.send({ ...settings, messages });
	const next = {};
	for (const o of offsets)
		next[o.partition] = o.offset;
	for (const m of messages)
		say(m.partition, next[m.partition]++);
}

async function produce(topic, ...words) {
	const chosen = options(words);
	const compression = chosen.codec || 'none';
	if (compression === 'zstd' && !zlib.zstdCompressSync)
		cannot('no zstd with this version of node');
	const producer = new Producer({ ...base,
		idempotent: chosen.idempotent === 'yes' });
	const settings = { compression, acks: -1 };
	const batch = [];
	for await (const line of readline.createInterface(
	    { input: process.stdin })) {
		if (chosen.each === 'yes')
			await send(producer, settings, [parse(topic, line)]);
		else
			batch.push(parse(topic, line));
	}
	for (let i = 0; i < batch.length; i += 500)
		await send(producer, settings, batch.slice(i, i + 500));
	await producer.close();
}

async function consume(topic, partition, start, count, ...words) {
	const chosen = options(words);
	const reader = new Consumer({ ...base, autocommit: false,
		groupId: 'reader-' + topic + '-' + process.pid });
	const p = Number(partition);
	const stream = await reader.consume({ topics: [topic], mode: 'manual',
		maxWaitTime: Number(chosen.wait || 500),
		offsets: [{ topic, partition: p, offset: BigInt(start) }] });
	let left = Number(count);
	for await (const m of stream) {
		if (m.partition !== p || m.offset < BigInt(start))
			continue;
		const headers = [...m.headers].map(
		    ([name, data]) => name + '=' + text(data)).join(',');
		process.stdout.write([m.offset, m.timestamp, text(m.key),
			text(m.value), headers].join('\t') + '\n');
		if (--left === 0)
			break;
	}
	// It would wait for the fetch that is under way.
	await new Promise((done) => process.stdout.write('', done));
	process.exit(0);
}

async function member(group, topic, ...words) {
	const chosen = options(words);
	const reader = new Consumer({ ...base, groupId: group,
		sessionTimeout: Number(chosen.session || 6000),
		heartbeatInterval: 500,
		...(chosen.instance ? { groupInstanceId: chosen.instance } : {}) });
	reader.on('consumer:group:join', ({ assignments }) => say('assigned',
	    ...(assignments || []).flatMap((a) => a.partitions).sort()));
	const stream = await reader.consume({ topics: [topic],
		mode: 'committed', fallbackMode: 'earliest', maxWaitTime: 100,
		autocommit: false });
	let ended = false;
	process.on('SIGTERM', async () => {
		ended = true;
		await stream.close();
		await reader.close(true);
		process.exit(0);
	});
	for await (const m of stream) {
		process.stdout.write([m.partition, m.offset,
			text(m.value)].join('\t') + '\n');
		try {
			await m.commit();
		} catch (e) {
			// The group moved on: others read it again.
			if (!ended)
				console.error(e.message);
		}
	}
}

// The name of a state as Kafka writes it.
const state = (name) => name[0] + name.slice(1).toLowerCase();
const TOPIC = 2;

const admin = {
	create: (a, topic, partitions, ...words) => a.createTopics({
		topics: [topic], partitions: Number(partitions), replicas: 1,
		configs: Object.entries(options(words)).map(
		    ([name, value]) => ({ name, value })) }),
	delete: (a, topic) => a.deleteTopics({ topics: [topic] }),
	async topics(a) {
		for (const name of await a.listTopics())
			say(name);
	},
	async count(a, topic) {
		const found = await a.metadata({ topics: [topic] });
		say(found.topics.get(topic).partitions.length);
	},
	grow: (a, topic, count) => a.createPartitions({
		topics: [{ name: topic, count: Number(count) }] }),
	async offset(a, topic, partition, time) {
		const timestamp = { earliest: -2n, latest: -1n }[time] ??
		    BigInt(time);
		const [found] = await a.listOffsets({ topics: [{ name: topic,
			partitions: [{ partitionIndex: Number(partition),
				timestamp }] }] });
		say(found.partitions[0].offset);
	},
	async config(a, topic, name) {
		const [found] = await a.describeConfigs({ resources: [{
			resourceType: TOPIC, resourceName: topic,
			configurationKeys: [name] }] });
		say(found.configs.find((c) => c.name === name).value);
	},
	alter: (a, topic, name, value) => a.incrementalAlterConfigs({
		resources: [{ resourceType: TOPIC, resourceName: topic,
			configs: [{ name, value, configOperation: 0 }] }] }),
	async trim(a, topic, partition, offset) {
		const [found] = await a.deleteRecords({ topics: [{ name: topic,
			partitions: [{ partition: Number(partition),
				offset: BigInt(offset) }] }] });
		say(found.partitions[0].lowWatermark);
	},
	async groups(a) {
		for (const name of (await a.listGroups()).keys())
			say(name);
	},
	async group(a, name) {
		const g = (await a.describeGroups({ groups: [name] })).get(name);
		say(state(g.state), g.members.size);
	},
	drop: (a, name) => a.deleteGroups({ groups: [name] }),
	async committed(a, name, topic) {
		const [found] = await a.listConsumerGroupOffsets({
			groups: [name] });
		for (const t of found.topics.filter((x) => x.name === topic)) {
			for (const p of t.partitions)
				say(p.partitionIndex, p.committedOffset);
		}
	},
	async cluster(a) {
		const found = await a.metadata({ topics: [] });
		for (const [id, b] of found.brokers)
			say('node', id, b.host + ':' + b.port);
		say('controller', found.controllerId ?? [...found.brokers.keys()][0]);
	},
};

// The broker's number of an error lies at different depths.
function code(e) {
	if (e.apiCode > 0)
		return e.apiCode;
	for (const inner of [].concat(e.errors || [], e.cause || [])) {
		const found = code(inner);
		if (found)
			return found;
	}
	return 0;
}

async function main([command, ...args]) {
	if (command === 'produce')
		await produce(...args);
	else if (command === 'consume')
		await consume(...args);
	else if (command === 'member')
		await member(...args);
	else if (!(command in admin))
		cannot('no such call');
	else {
		// A topic that is not there is not worth a retry.
		const a = new Admin({ ...base,
			retries: command === 'delete' ? 0 : base.retries });
		await admin[command](a, ...args);
		await a.close();
	}
}

main(process.argv.slice(2)).catch((e) => {
	say('error', code(e));
	console.error(e);
	process.exit(1);
});
