// load: fills an etcd in the order of its flags, so that a revision history is reproducible but for interleaving.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	opsPerTxn   = 128 // etcd's default limit
	connections = 8
	bigAtOnce   = 4 // more of 1.5 MiB each wait longer for a busy disk than etcd waits for them
)

type loadOptions struct {
	connection
	objects, first, population        uint64
	updates, deletes, round           uint64
	tiny, big, txns, leases, nested   uint64
	valueBytes, bigBytes, concurrency int
	tinyKeyBytes                      int
	seed                              uint64
	binary, auth, compact, defrag     bool
	rootPassword                      string
}

func parseLoad(args []string) loadOptions {
	var o loadOptions
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	o.addFlags(flags)
	flags.Uint64Var(&o.seed, "seed", 1, "of everything random")
	flags.IntVar(&o.concurrency, "concurrency", 256, "writers at once; 1 makes the order of revisions reproducible, too")
	flags.Uint64Var(&o.objects, "objects", 0, "create this many Kubernetes-like objects under /registry/")
	flags.Uint64Var(&o.first, "first", 0, "the index of the first of them (to add to an earlier load)")
	flags.IntVar(&o.valueBytes, "value-bytes", 2000, "their mean value size")
	flags.Uint64Var(&o.tiny, "tiny", 0, "then: this many keys tiny/<n> with values of a few bytes")
	flags.IntVar(&o.tinyKeyBytes, "tiny-key-bytes", 0, "the length that their keys are padded to")
	flags.Uint64Var(&o.big, "big", 0, "then: this many values of --big-bytes")
	flags.IntVar(&o.bigBytes, "big-bytes", 1536<<10-1024, "what fits etcd's default request limit of 1.5 MiB")
	flags.BoolVar(&o.binary, "binary", false, "then: keys and values with every byte value, empty values")
	flags.Uint64Var(&o.txns, "txns", 0, "then: this many transactions of 128 puts and deletes")
	flags.Uint64Var(&o.leases, "leases", 0, "then: this many leases with up to 3 keys each (leased/<n>/<m>)")
	flags.Uint64Var(&o.updates, "updates", 0, "then: update this many random objects of the population")
	flags.Uint64Var(&o.deletes, "deletes", 0, "then: delete this many random objects of the population")
	flags.Uint64Var(&o.nested, "nested", 0, "then: this many transactions that put a key and delete it in one revision")
	flags.Uint64Var(&o.population, "population", 0, "objects that there are; 0: what this call creates")
	flags.Uint64Var(&o.round, "round", 1, "a number that makes each call with updates and deletes choose anew")
	flags.BoolVar(&o.compact, "compact", false, "then: compact at the current revision")
	flags.BoolVar(&o.defrag, "defrag", false, "then: defragment every endpoint")
	flags.BoolVar(&o.auth, "auth", false, "last: make users, roles and permissions, and enable authentication")
	flags.StringVar(&o.rootPassword, "root-password", "lifeboat-root-password", "of the user root that --auth makes")
	flags.Parse(args)
	if o.population == 0 {
		o.population = o.first + o.objects
	}
	return o
}

// A loader writes through several connections at once.
type loader struct {
	loadOptions
	clients []*clientv3.Client
}

func load(ctx context.Context, args []string) error {
	l := loader{loadOptions: parseLoad(args)}
	for range min(connections, l.concurrency) {
		client, err := l.dial()
		if err != nil {
			return err
		}
		defer client.Close()
		l.clients = append(l.clients, client)
	}
	steps := []struct {
		name  string
		count uint64
		run   func(context.Context) error
	}{
		{"objects", l.objects, l.createObjects}, {"tiny keys", l.tiny, l.createTiny}, {"big values", l.big, l.createBig},
		{"binary keys", flagCount(l.binary), l.createBinary}, {"transactions", l.txns, l.runTxns},
		{"leases", l.leases, l.createLeases}, {"updates", l.updates, l.updateObjects},
		{"deletes", l.deletes, l.deleteObjects}, {"nested transactions", l.nested, l.runNested},
		{"compaction", flagCount(l.compact), l.compactNow}, {"defragmentation", flagCount(l.defrag), l.defragment},
		{"auth", flagCount(l.auth), l.enableAuth},
	}
	for _, step := range steps {
		if step.count == 0 {
			continue
		}
		start := time.Now()
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "load: %d %s in %.1f s\n", step.count, step.name, time.Since(start).Seconds())
	}
	return nil
}

func flagCount(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}

// parallel calls work(client, i) for i in [0, n) from --concurrency goroutines and returns the first error.
func (l *loader) parallel(n uint64, work func(client *clientv3.Client, i uint64) error) error {
	return l.atOnce(l.concurrency, n, work)
}

// The same from so many goroutines.
func (l *loader) atOnce(workers int, n uint64, work func(client *clientv3.Client, i uint64) error) error {
	var next atomic.Uint64
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	for worker := range workers {
		client := l.clients[worker%len(l.clients)]
		group.Add(1)
		go func() {
			defer group.Done()
			for failed.Load() == nil {
				i := next.Add(1) - 1
				if i >= n {
					return
				}
				if err := patiently(func() error { return work(client, i) }); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		}()
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// etcd gives up on a request after some seconds, which a busy disk may take: then it is made again.
func patiently(work func() error) error {
	var err error
	for range 5 {
		if err = work(); err == nil || !strings.Contains(err.Error(), "request timed out") {
			return err
		}
	}
	return err
}

func (l *loader) object(index, generation uint64) object {
	return object{index: index, generation: generation, seed: l.seed, valueBytes: l.valueBytes}
}

func (l *loader) createObjects(ctx context.Context) error {
	return l.parallel(l.objects, func(client *clientv3.Client, i uint64) error {
		o := l.object(l.first+i, 1)
		_, err := client.Put(ctx, o.key(), string(o.value()))
		return err
	})
}

func (l *loader) createTiny(ctx context.Context) error {
	txns := (l.tiny + opsPerTxn - 1) / opsPerTxn
	return l.parallel(txns, func(client *clientv3.Client, t uint64) error {
		var ops []clientv3.Op
		for i := t * opsPerTxn; i < min((t+1)*opsPerTxn, l.tiny); i++ {
			key := fmt.Sprintf("tiny/%07d", i)
			key += strings.Repeat("x", max(0, l.tinyKeyBytes-len(key)))
			ops = append(ops, clientv3.OpPut(key, fmt.Sprint(i%1000)))
		}
		_, err := client.Txn(ctx).Then(ops...).Commit()
		return err
	})
}

func (l *loader) createBig(ctx context.Context) error {
	return l.atOnce(min(l.concurrency, bigAtOnce), l.big, func(client *clientv3.Client, i uint64) error {
		value := make([]byte, l.bigBytes)
		r := rand.New(rand.NewPCG(l.seed, i))
		for at := range value { // half of it compresses
			value[at] = byte(r.Uint32())
			if at%2 == 1 {
				value[at] = 'x'
			}
		}
		_, err := client.Put(ctx, fmt.Sprintf("big/%04d", i), string(value))
		return err
	})
}

func (l *loader) createBinary(ctx context.Context) error {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return l.parallel(256, func(client *clientv3.Client, i uint64) error {
		b := byte(i)
		for _, key := range [][]byte{{b}, {b, 0xff, 0x00, b}, append([]byte("binary/"), append(every[i:], every[:i]...)...)} {
			if _, err := client.Put(ctx, string(key), string(every[:i])); err != nil {
				return err
			}
		}
		return nil
	})
}

// The only order in which etcd changes a key twice in one revision: a nested transaction puts it, a later one deletes it.
func (l *loader) runNested(ctx context.Context) error {
	for t := range l.nested {
		key := fmt.Sprintf("nested/%06d", t)
		put := clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut(key, "brief"), clientv3.OpPut(key+"/stays", "long")}, nil)
		gone := clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpDelete(key)}, nil)
		if _, err := l.clients[0].Txn(ctx).Then(put, gone).Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Each transaction writes 96 keys of its own and 32 of the one before: updates of 16, deletes of 16.
func (l *loader) runTxns(ctx context.Context) error {
	client := l.clients[0]
	for t := range l.txns {
		var ops []clientv3.Op
		for i := range uint64(opsPerTxn) {
			key := fmt.Sprintf("txn/%06d/%03d", t, i)
			if i >= 96 && t > 0 {
				key = fmt.Sprintf("txn/%06d/%03d", t-1, i-96)
			}
			if i >= 112 && t > 0 {
				ops = append(ops, clientv3.OpDelete(key))
			} else {
				ops = append(ops, clientv3.OpPut(key, fmt.Sprintf("value %d of transaction %d", i, t)))
			}
		}
		if _, err := client.Txn(ctx).Then(ops...).Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) createLeases(ctx context.Context) error {
	return l.parallel(l.leases, func(client *clientv3.Client, i uint64) error {
		r := rand.New(rand.NewPCG(l.seed, i))
		lease, err := client.Grant(ctx, 3600+r.Int64N(100_000))
		if err != nil {
			return err
		}
		for key := range i % 4 { // every fourth lease has no key
			name := fmt.Sprintf("leased/%06d/%d", i, key)
			if _, err := client.Put(ctx, name, "held", clientv3.WithLease(lease.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Distinct members of the population, another choice for each round and purpose.
func (l *loader) choose(count, purpose uint64) []uint64 {
	r := rand.New(rand.NewPCG(l.seed*1_000_003+l.round, purpose))
	chosen := make([]uint64, 0, count)
	for _, i := range r.Perm(int(l.population))[:min(count, l.population)] {
		chosen = append(chosen, uint64(i))
	}
	return chosen
}

// As an API server does: put only where the object is still there.
func (l *loader) updateObjects(ctx context.Context) error {
	chosen := l.choose(l.updates, 1)
	return l.parallel(uint64(len(chosen)), func(client *clientv3.Client, i uint64) error {
		o := l.object(chosen[i], l.round+1)
		_, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(o.key()), ">", 0)).
			Then(clientv3.OpPut(o.key(), string(o.value()))).Commit()
		return err
	})
}

func (l *loader) deleteObjects(ctx context.Context) error {
	chosen := l.choose(l.deletes, 2)
	return l.parallel(uint64(len(chosen)), func(client *clientv3.Client, i uint64) error {
		_, err := client.Delete(ctx, l.object(chosen[i], 1).key())
		return err
	})
}

func (l *loader) compactNow(ctx context.Context) error {
	now, err := l.clients[0].Get(ctx, "/")
	if err != nil {
		return err
	}
	_, err = l.clients[0].Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical())
	return err
}

func (l *loader) defragment(ctx context.Context) error {
	for _, url := range l.urls() {
		if _, err := l.clients[0].Defragment(ctx, url); err != nil {
			return err
		}
	}
	return nil
}
