// write: puts at a steady rate and notes when each was acknowledged.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// One line a put in the journal: revision, and the wall clock in nanoseconds when etcd had acknowledged it.
func write(ctx context.Context, args []string) error {
	var c connection
	flags := flag.NewFlagSet("write", flag.ExitOnError)
	c.addFlags(flags)
	rate := flags.Int("rate", 1000, "puts a second")
	seconds := flags.Float64("seconds", 10, "how long")
	keys := flags.Int("keys", 10000, "different keys")
	valueBytes := flags.Int("value-bytes", 2000, "size of a value")
	prefix := flags.String("prefix", "/registry/written/", "where it writes")
	journal := flags.String("journal", "", "file for the journal; empty: none")
	workers := flags.Int("concurrency", 32, "writers at once")
	flags.Parse(args)
	client, err := c.dial()
	if err != nil {
		return err
	}
	defer client.Close()
	out := bufio.NewWriter(os.Stdout)
	if *journal != "" {
		file, err := os.Create(*journal)
		if err != nil {
			return err
		}
		defer file.Close()
		out = bufio.NewWriter(file)
	}
	defer out.Flush()
	return writeAll(ctx, client, writePlan{*rate, *keys, *valueBytes, *workers, *prefix,
		int(*seconds * float64(*rate))}, func(revision int64, at time.Time) {
		if *journal != "" {
			fmt.Fprintf(out, "%d %d\n", revision, at.UnixNano())
		}
	})
}

type writePlan struct {
	rate, keys, valueBytes, workers int
	prefix                          string
	puts                            int
}

func writeAll(ctx context.Context, client *clientv3.Client, plan writePlan, done func(int64, time.Time)) error {
	began := time.Now()
	numbers := make(chan int)
	var mutex sync.Mutex
	var failures error
	var group sync.WaitGroup
	for worker := 0; worker < plan.workers; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := range numbers {
				random := rand.New(rand.NewSource(int64(number)))
				value := objectLike(random, number, plan.valueBytes)
				key := fmt.Sprintf("%s%06d", plan.prefix, random.Intn(plan.keys))
				response, err := client.Put(ctx, key, value)
				mutex.Lock()
				if err != nil {
					failures = errors.Join(failures, err)
				} else {
					done(response.Header.Revision, time.Now())
				}
				mutex.Unlock()
			}
		}()
	}
	for number := 0; number < plan.puts; number++ {
		due := began.Add(time.Duration(number) * time.Second / time.Duration(plan.rate))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		numbers <- number
	}
	close(numbers)
	group.Wait()
	return failures
}

// Text of which about a fifth is random, as uids, hashes and times are in an object.
func objectLike(random *rand.Rand, number, bytes int) string {
	const fields = `{"apiVersion":"v1","kind":"Thing","metadata":{"name":"thing-%06d","namespace":"default","uid":"%08x-%08x"},"spec":{"replicas":3,"image":"registry.example/app:%x"}},`
	text := ""
	for len(text) < bytes {
		text += fmt.Sprintf(fields, number, random.Uint32(), random.Uint32(), random.Uint32())
	}
	return text[:bytes]
}
