// The driver of kafkajs; its commands are in README.md.  Codecs other than
// gzip are what its users plug in.
'use strict';
const readline = require('readline');
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes,
	PartitionAssigners, logLevel } = require('kafkajs');

const kafka = new Kafka({
	brokers: [process.env.BROKER_ADDRESS],
	logLevel: logLevel.NOTHING,
	requestTimeout: 200000,
	retry: { retries: 8 },
});
const OLD = require('kafkajs/package.json').version.startsWith('1.');
const say = (...fields) => process.stdout.write(fields.join(' ') + '\n');
const text = (data) => (data === null ? '~' : data.toString());
const unnull = (field) => (field === '~' ? null : field);
const options = (words) => Object.fromEntries(words.map((w) => {
	const at = w.indexOf('=');
	return [w.slice(0, at), w.slice(at + 1)];
}));

function cannot(why) {
	console.error(why);
	process.exit(77);
}

function plug() {
	CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
	const lz4 = require('@platformatic/wasm-utils');
	CompressionCodecs[CompressionTypes.LZ4] = () => ({
		compress: async (e) => Buffer.from(lz4.lz4Compress(e.buffer)),
		decompress: async (b) => Buffer.from(lz4.lz4Decompress(b)),
	});
	const simple = new Promise((done) => {
		require('zstd-codec').ZstdCodec.run((z) => done(new z.Simple()));
	});
	CompressionCodecs[CompressionTypes.ZSTD] = () => ({
		compress: async (e) =>
		    Buffer.from((await simple).compress(e.buffer, 3)),
		decompress: async (b) => Buffer.from((await simple).decompress(b)),
	});
}

// A line to produce: partition, time, key, value, headers.
function parse(line) {
	const [partition, time, key, value, headers] = line.split('\t');
	const message = {
		partition: Number(partition),
		key: unnull(key),
		value: unnull(value),
		headers: {},
	};
	if (time !== '-')
		message.timestamp = time;
	for (const pair of headers.split(',').filter((p) => p)) {
		const at = pair.indexOf('=');
		const name = pair.slice(0, at);
		const data = unnull(pair.slice(at + 1));
		if (data === null)
			cannot('no header without a value');
		if (name in message.headers &&
		    Object.keys(message.headers).pop() !== name)
			cannot('the order of headers is not kept');
		message.headers[name] = name in message.headers ?
		    [].concat(message.headers[name], data) : data;
	}
	return message;
}

async function send(producer, topic, compression, messages) {
	const acked = await producer.send({ topic, messages, acks: -1,
		compression });
	const next = {};
	for (const a of acked)
		next[a.partition] = BigInt(a.baseOffset);
	for (const m of messages)
		say(m.partition, next[m.partition]++);
}

async function produce(topic, ...words) {
	const chosen = options(words);
	const codec = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP,
		snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4,
		zstd: CompressionTypes.ZSTD }[chosen.codec || 'none'];
	const producer = kafka.producer({
		idempotent: chosen.idempotent === 'yes',
		createPartitioner: () => ({ message }) => message.partition,
	});
	await producer.connect();
	const batch = [];
	for await (const line of readline.createInterface(
	    { input: process.stdin })) {
		if (chosen.each === 'yes')
			await send(producer, topic, codec, [parse(line)]);
		else
			batch.push(parse(line));
	}
	for (let i = 0; i < batch.length; i += 500)
		await send(producer, topic, codec, batch.slice(i, i + 500));
	await producer.disconnect();
}

// Headers of one name are a list.
function headers(all) {
	return Object.entries(all || {}).flatMap(([name, data]) =>
	    [].concat(data).map((d) => name + '=' + text(d))).join(',');
}

async function consume(topic, partition, start, count, ...words) {
	const chosen = options(words);
	const reader = kafka.consumer({
		groupId: 'reader-' + topic + process.pid,
		maxWaitTimeInMs: Number(chosen.wait || 500),
		sessionTimeout: 30000,
	});
	let left = Number(count);
	let ended;
	const all = new Promise((done) => { ended = done; });
	await reader.connect();
	await reader.subscribe({ topic, fromBeginning: true });
	reader.run({ autoCommit: false, eachMessage: async (m) => {
		if (m.partition !== Number(partition) || left === 0)
			return;
		process.stdout.write([m.message.offset, m.message.timestamp,
			text(m.message.key), text(m.message.value),
			headers(m.message.headers)].join('\t') + '\n');
		left--;
		if (left === 0)
			ended();
	} });
	reader.seek({ topic, partition: Number(partition), offset: start });
	await all;
	process.exitCode = 0;
	// It would wait for the fetch that is under way.
	if (chosen.wait)
		process.exit(0);
	await reader.disconnect();
}

// Its own assigner under the name that other clients have for the same.
const roundrobin = (given) => ({ ...PartitionAssigners.roundRobin(given),
	name: 'roundrobin' });

async function member(group, topic, ...words) {
	const chosen = options(words);
	if (chosen.instance)
		cannot('no static membership');
	const reader = kafka.consumer({
		groupId: group,
		sessionTimeout: Number(chosen.session || 6000),
		heartbeatInterval: 500,
		maxWaitTimeInMs: 100,
		partitionAssigners: [PartitionAssigners.roundRobin, roundrobin],
	});
	reader.on(reader.events.GROUP_JOIN, ({ payload }) => say('assigned',
	    ...(payload.memberAssignment[topic] || []).sort()));
	await reader.connect();
	await reader.subscribe({ topic, fromBeginning: true });
	process.on('SIGTERM', () => {
		reader.disconnect().then(() => process.exit(0));
	});
	await reader.run({ autoCommitInterval: 100, eachMessage: async (m) => {
		process.stdout.write([m.partition, m.message.offset,
			text(m.message.value)].join('\t') + '\n');
	} });
	await new Promise(() => setInterval(() => {}, 1000));
}

const resource = (topic) => ({ type: ConfigResourceTypes.TOPIC, name: topic });

// The commands that take an admin client.
const admin = {
	async create(a, topic, partitions, ...words) {
		await a.createTopics({ waitForLeaders: false, topics: [{
			topic, numPartitions: Number(partitions),
			replicationFactor: 1,
			configEntries: Object.entries(options(words)).map(
			    ([name, value]) => ({ name, value })),
		}] }).then((made) => {
			if (!made)
				throw { code: 36, message: 'it exists' };
		});
	},
	delete: (a, topic) => a.deleteTopics({ topics: [topic] }),
	async topics(a) {
		for (const name of await a.listTopics())
			say(name);
	},
	async count(a, topic) {
		const found = await a.fetchTopicMetadata({ topics: [topic] });
		say(found.topics[0].partitions.length);
	},
	grow: (a, topic, count) => a.createPartitions({
		topicPartitions: [{ topic, count: Number(count) }] }),
	async offset(a, topic, partition, time) {
		const field = { earliest: 'low', latest: 'high' }[time];
		const found = field ? await a.fetchTopicOffsets(topic) :
		    await a.fetchTopicOffsetsByTimestamp(topic, Number(time));
		say(found.find((f) => f.partition === Number(partition))[
			field || 'offset']);
	},
	async config(a, topic, name) {
		const found = await a.describeConfigs({ includeSynonyms: false,
			resources: [resource(topic)] });
		say(found.resources[0].configEntries.find(
		    (e) => e.configName === name).configValue);
	},
	alter: (a, topic, name, value) => a.alterConfigs({ validateOnly: false,
		resources: [{ ...resource(topic),
			configEntries: [{ name, value }] }] }),
	async trim(a, topic, partition, offset) {
		// It does not load the metadata that it needs.
		await a.fetchTopicOffsets(topic);
		await a.deleteTopicRecords({ topic, partitions: [
			{ partition: Number(partition), offset }] });
		const found = await a.fetchTopicOffsets(topic);
		say(found.find((f) => f.partition === Number(partition)).low);
	},
	async groups(a) {
		for (const g of (await a.listGroups()).groups)
			say(g.groupId);
	},
	async group(a, name) {
		const [g] = (await a.describeGroups([name])).groups;
		say(g.state, g.members.length);
	},
	drop: (a, name) => a.deleteGroups([name]),
	async committed(a, name, topic) {
		const found = OLD ?
		    await a.fetchOffsets({ groupId: name, topic }) :
		    (await a.fetchOffsets({ groupId: name,
			topics: [topic] }))[0].partitions;
		for (const p of found)
			say(p.partition, p.offset);
	},
	async cluster(a) {
		const found = await a.describeCluster();
		for (const b of found.brokers)
			say('node', b.nodeId, b.host + ':' + b.port);
		say('controller', found.controller);
	},
};

// The broker's number of an error lies at different depths.
function code(e) {
	if (typeof e.code === 'number' && e.code > 0)
		return e.code;
	for (const inner of [].concat(e.errors || [], e.groups || [],
	    e.partitions || [], e.cause || [], e.error || [], e.originalError || [])) {
		const found = code(inner);
		if (found || inner.errorCode > 0)
			return found || inner.errorCode;
	}
	return 0;
}

async function main([command, ...args]) {
	plug();
	if (command === 'produce')
		await produce(...args);
	else if (command === 'consume')
		await consume(...args);
	else if (command === 'member')
		await member(...args);
	else if (!(command in admin))
		cannot('no such call');
	else {
		// It retries a topic that is not there for over a minute.
		const a = kafka.admin({
			retry: { retries: command === 'delete' ? 0 : 8 } });
		await a.connect();
		await admin[command](a, ...args);
		await a.disconnect();
	}
}

main(process.argv.slice(2)).catch((e) => {
	say('error', code(e));
	console.error(e);
	process.exit(1);
});
