// The driver of franz-go; its commands are in README.md.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var ctx = context.Background()

// Stop with the broker's number of an error.
func check(err error) {
	if err == nil {
		return
	}
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) {
		err = shards.Errs[0].Err
	}
	var known *kerr.Error
	if errors.As(err, &known) {
		fmt.Println("error", known.Code)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	check(err)
	return n
}

func options(words []string) map[string]string {
	found := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		found[name] = value
	}
	return found
}

func otherwise(value, without string) string {
	if value == "" {
		return without
	}
	return value
}

func client(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts,
		kgo.SeedBrokers(os.Getenv("BROKER_ADDRESS")))...)
	check(err)
	return c
}

func null(field string) []byte {
	if field == "~" {
		return nil
	}
	return []byte(field)
}

func text(data []byte) string {
	if data == nil {
		return "~"
	}
	return string(data)
}

// A line to produce: partition, time, key, value, headers.
func parse(topic, line string) *kgo.Record {
	f := strings.Split(line, "\t")
	r := &kgo.Record{Topic: topic, Partition: int32(number(f[0])),
		Key: null(f[2]), Value: null(f[3])}
	if f[1] != "-" {
		r.Timestamp = time.UnixMilli(number(f[1]))
	}
	for _, pair := range strings.Split(f[4], ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			r.Headers = append(r.Headers, kgo.RecordHeader{
				Key: name, Value: null(value)})
		}
	}
	return r
}

func acked(results kgo.ProduceResults) {
	check(results.FirstErr())
	for _, r := range results {
		fmt.Println(r.Record.Partition, r.Record.Offset)
	}
}

func produce(topic string, words []string) {
	chosen := options(words)
	codec := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(),
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[chosen["codec"]]
	opts := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(
			int32(number(otherwise(chosen["max"], "1000000")))),
	}
	if chosen["idempotent"] != "yes" {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	if chosen["each"] != "yes" {
		opts = append(opts, kgo.ProducerLinger(100*time.Millisecond))
	}
	c := client(opts...)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	var batch []*kgo.Record
	for in.Scan() {
		r := parse(topic, in.Text())
		if chosen["each"] == "yes" {
			acked(c.ProduceSync(ctx, r))
		} else {
			batch = append(batch, r)
		}
	}
	acked(inOrder(batch, c.ProduceSync(ctx, batch...)))
}

// The results come as the answers did.
func inOrder(batch []*kgo.Record, results kgo.ProduceResults) kgo.ProduceResults {
	place := map[*kgo.Record]int{}
	for i, r := range batch {
		place[r] = i
	}
	sort.Slice(results, func(i, j int) bool {
		return place[results[i].Record] < place[results[j].Record]
	})
	return results
}

func show(r *kgo.Record) {
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+"="+text(h.Value))
	}
	fmt.Printf("%d\t%d\t%s\t%s\t%s\n", r.Offset, r.Timestamp.UnixMilli(),
		text(r.Key), text(r.Value), strings.Join(headers, ","))
}

func consume(topic string, partition, start, count int64, words []string) {
	wait := number(otherwise(options(words)["wait"], "500"))
	c := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {int32(partition): kgo.NewOffset().At(start)}}),
		kgo.FetchMaxWait(time.Duration(wait)*time.Millisecond))
	for count > 0 {
		fetches := c.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			check(e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if count > 0 {
				show(r)
			}
			count--
		})
	}
}

// Says what a member has; it is told of the difference alone.
type share map[int32]bool

func (s share) change(list map[string][]int32, have bool) {
	for _, partitions := range list {
		for _, p := range partitions {
			if have {
				s[p] = true
			} else {
				delete(s, p)
			}
		}
	}
	var mine []int
	for p := range s {
		mine = append(mine, int(p))
	}
	sort.Ints(mine)
	line := "assigned"
	for _, p := range mine {
		line += fmt.Sprint(" ", p)
	}
	fmt.Println(line)
}

func member(group, topic string, words []string) {
	chosen := options(words)
	mine := share{}
	told := func(have bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, list map[string][]int32) {
			mine.change(list, have)
		}
	}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(time.Duration(number(otherwise(
			chosen["session"], "6000"))) * time.Millisecond),
		kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(told(true)),
		kgo.OnPartitionsRevoked(told(false)),
		kgo.OnPartitionsLost(told(false)),
	}
	if chosen["instance"] != "" {
		opts = append(opts, kgo.InstanceID(chosen["instance"]))
	}
	stop, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer cancel()
	c := client(opts...)
	for stop.Err() == nil {
		c.PollFetches(stop).EachRecord(func(r *kgo.Record) {
			fmt.Printf("%d\t%d\t%s\n", r.Partition, r.Offset,
				text(r.Value))
		})
		// If the group moved on, it is read again.
		if err := c.CommitUncommittedOffsets(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		c.AllowRebalance()
	}
	c.Close()
}

func offset(a *kadm.Client, topic string, partition int32, when string) {
	var list kadm.ListedOffsets
	var err error
	switch when {
	case "earliest":
		list, err = a.ListStartOffsets(ctx, topic)
	case "latest":
		list, err = a.ListEndOffsets(ctx, topic)
	default:
		list, err = a.ListOffsetsAfterMilli(ctx, number(when), topic)
	}
	check(err)
	found, _ := list.Lookup(topic, partition)
	check(found.Err)
	fmt.Println(found.Offset)
}

func create(a *kadm.Client, topic string, partitions int64, words []string) {
	configs := map[string]*string{}
	for name, value := range options(words) {
		configs[name] = kadm.StringPtr(value)
	}
	_, err := a.CreateTopic(ctx, int32(partitions), 1, configs, topic)
	check(err)
}

func config(a *kadm.Client, topic, name string) {
	found, err := a.DescribeTopicConfigs(ctx, topic)
	check(err)
	for _, c := range found[0].Configs {
		if c.Key == name {
			fmt.Println(c.MaybeValue())
		}
	}
}

func trim(a *kadm.Client, topic string, partition int32, before int64) {
	var to kadm.Offsets
	to.AddOffset(topic, partition, before, -1)
	found, err := a.DeleteRecords(ctx, to)
	check(err)
	r, _ := found.Lookup(topic, partition)
	check(r.Err)
	fmt.Println(r.LowWatermark)
}

func group(a *kadm.Client, name string) {
	found, err := a.DescribeGroups(ctx, name)
	check(err)
	check(found[name].Err)
	fmt.Println(found[name].State, len(found[name].Members))
}

func committed(a *kadm.Client, name, topic string) {
	found, err := a.FetchOffsets(ctx, name)
	check(err)
	for _, o := range found.Sorted() {
		if o.Topic == topic {
			fmt.Println(o.Partition, o.At)
		}
	}
}

func cluster(a *kadm.Client) {
	found, err := a.BrokerMetadata(ctx)
	check(err)
	for _, b := range found.Brokers {
		fmt.Printf("node %d %s:%d\n", b.NodeID, b.Host, b.Port)
	}
	fmt.Println("controller", found.Controller)
}

func names(list []string, err error) {
	check(err)
	for _, name := range list {
		fmt.Println(name)
	}
}

func admin(args []string) {
	a := kadm.NewClient(client())
	switch args[0] {
	case "create":
		create(a, args[1], number(args[2]), args[3:])
	case "delete":
		found, err := a.DeleteTopics(ctx, args[1])
		check(err)
		check(found[args[1]].Err)
	case "topics":
		found, err := a.ListTopics(ctx)
		names(found.Names(), err)
	case "count":
		found, err := a.ListTopics(ctx, args[1])
		check(err)
		fmt.Println(len(found[args[1]].Partitions))
	case "grow":
		found, err := a.UpdatePartitions(ctx, int(number(args[2])), args[1])
		check(err)
		check(found[args[1]].Err)
	case "offset":
		offset(a, args[1], int32(number(args[2])), args[3])
	case "config":
		config(a, args[1], args[2])
	case "alter":
		found, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{{
			Op: kadm.SetConfig, Name: args[2], Value: &args[3]}}, args[1])
		check(err)
		check(found[0].Err)
	case "trim":
		trim(a, args[1], int32(number(args[2])), number(args[3]))
	case "groups":
		found, err := a.ListGroups(ctx)
		names(found.Groups(), err)
	case "group":
		group(a, args[1])
	case "drop":
		found, err := a.DeleteGroups(ctx, args[1])
		check(err)
		check(found[args[1]].Err)
	case "committed":
		committed(a, args[1], args[2])
	case "cluster":
		cluster(a)
	default:
		os.Exit(77)
	}
}

func main() {
	args := os.Args[1:]
	switch args[0] {
	case "produce":
		produce(args[1], args[2:])
	case "consume":
		consume(args[1], number(args[2]), number(args[3]), number(args[4]),
			args[5:])
	case "member":
		member(args[1], args[2], args[3:])
	default:
		admin(args)
	}
}
