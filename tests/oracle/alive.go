// check-alive: does everything with a cluster that a Kubernetes control plane or its operator would.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

type checker struct {
	connection
	client         *clientv3.Client
	compactedBelow int64
	members        int
	prefix         string
}

func checkAlive(ctx context.Context, args []string) error {
	var c checker
	flags := flag.NewFlagSet("check-alive", flag.ExitOnError)
	c.addFlags(flags)
	flags.Int64Var(&c.compactedBelow, "compacted-below", 0, "reads and watches below this revision must be refused as compacted")
	flags.IntVar(&c.members, "members", 0, "the cluster must have this many; 0: any number")
	flags.StringVar(&c.prefix, "prefix", "oracle-check-alive/", "where it may write")
	timeout := flags.Duration("timeout", time.Minute, "for all of it")
	flags.Parse(args)
	client, err := c.dial()
	if err != nil {
		return err
	}
	defer client.Close()
	c.client = client
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()

	for _, check := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"compacted history", c.checkCompacted}, {"writes", c.checkWrites}, {"watch", c.checkWatch},
		{"leases", c.checkLeases}, {"leased keys", c.checkLeasedKeys}, {"members", c.checkMembers},
		{"equal members", c.checkEqualMembers}, {"compaction", c.checkCompaction},
		{"defragmentation", c.checkDefragmentation}, {"snapshot", c.checkSnapshot}, {"member change", c.checkMemberChange},
	} {
		if err := check.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", check.name, err)
		}
	}
	return nil
}

func (c *checker) mustBeCompacted(ctx context.Context, revision int64) error {
	_, err := c.client.Get(ctx, "/", clientv3.WithRev(revision))
	if !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("a read at revision %d answers %v, not that it is compacted", revision, err)
	}
	watching, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for response := range c.client.Watch(watching, "/", clientv3.WithPrefix(), clientv3.WithRev(revision)) {
		if response.CompactRevision > revision {
			return nil
		}
		return fmt.Errorf("a watch from revision %d delivers %d events (%v), not that it is compacted", revision,
			len(response.Events), response.Err())
	}
	return fmt.Errorf("a watch from revision %d ends without a word", revision)
}

func (c *checker) checkCompacted(ctx context.Context) error {
	for _, revision := range []int64{1, c.compactedBelow / 2, c.compactedBelow - 1} {
		if revision < 1 || revision >= c.compactedBelow {
			continue
		}
		if err := c.mustBeCompacted(ctx, revision); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkWrites(ctx context.Context) error {
	key := c.prefix + "write"
	if _, err := c.client.Delete(ctx, key); err != nil {
		return err
	}
	first, err := c.client.Put(ctx, key, "one")
	if err != nil {
		return err
	}
	if c.compactedBelow > 0 && first.Header.Revision <= c.compactedBelow {
		return fmt.Errorf("a new write got revision %d, not beyond %d", first.Header.Revision, c.compactedBelow)
	}
	second, err := c.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", first.Header.Revision)).
		Then(clientv3.OpPut(key, "two"), clientv3.OpPut(key+"/2", "")).Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return err
	}
	if !second.Succeeded || second.Header.Revision != first.Header.Revision+1 {
		return fmt.Errorf("a transaction after revision %d did not make the next one, but %d", first.Header.Revision, second.Header.Revision)
	}
	read, err := c.client.Get(ctx, key)
	if err != nil {
		return err
	}
	if len(read.Kvs) != 1 || string(read.Kvs[0].Value) != "two" || read.Kvs[0].Version != 2 {
		return fmt.Errorf("what was written twice reads as %v", read.Kvs)
	}
	gone, err := c.client.Delete(ctx, c.prefix+"write", clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if gone.Deleted != 2 {
		return fmt.Errorf("%d of 2 keys were deleted", gone.Deleted)
	}
	return nil
}

func (c *checker) checkWatch(ctx context.Context) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	events := c.client.Watch(watching, c.prefix+"watch", clientv3.WithCreatedNotify())
	if created := <-events; !created.Created || created.Err() != nil {
		return fmt.Errorf("a watch is not created: %v", created.Err())
	}
	if _, err := c.client.Put(ctx, c.prefix+"watch", "seen"); err != nil {
		return err
	}
	select {
	case response := <-events:
		if len(response.Events) != 1 || string(response.Events[0].Kv.Value) != "seen" {
			return fmt.Errorf("a watch delivered %v for one put (%v)", response.Events, response.Err())
		}
		return nil
	case <-time.After(20 * time.Second):
		return errors.New("a watch delivered nothing for 20 s")
	}
}

func (c *checker) checkLeases(ctx context.Context) error {
	key := c.prefix + "lease"
	lease, err := c.client.Grant(ctx, 600)
	if err != nil {
		return err
	}
	if _, err := c.client.Put(ctx, key, "", clientv3.WithLease(lease.ID)); err != nil {
		return err
	}
	if _, err := c.client.Put(ctx, key, "again", clientv3.WithIgnoreLease()); err != nil {
		return err
	}
	if _, err := c.client.KeepAliveOnce(ctx, lease.ID); err != nil {
		return err
	}
	if _, err := c.client.Revoke(ctx, lease.ID); err != nil {
		return err
	}
	read, err := c.client.Get(ctx, key)
	if err == nil && len(read.Kvs) != 0 {
		err = errors.New("a key outlived its lease")
	}
	return err
}

// A put that keeps the lease of a key whose lease is missing kills the server: none may be missing.
func (c *checker) checkLeasedKeys(ctx context.Context) error {
	leased, err := c.client.Get(ctx, "leased/", clientv3.WithPrefix(), clientv3.WithLimit(100))
	if err != nil {
		return err
	}
	for _, kv := range leased.Kvs {
		if kv.Lease == 0 {
			continue
		}
		status, err := c.client.TimeToLive(ctx, clientv3.LeaseID(kv.Lease))
		if err != nil {
			return err
		}
		if status.TTL < 0 {
			return fmt.Errorf("key %q has the lease %x, which is not there", kv.Key, kv.Lease)
		}
		if _, err := c.client.Put(ctx, string(kv.Key), string(kv.Value), clientv3.WithIgnoreLease()); err != nil {
			return fmt.Errorf("key %q with lease %x: %w", kv.Key, kv.Lease, err)
		}
	}
	return nil
}

func (c *checker) checkMembers(ctx context.Context) error {
	list, err := c.client.MemberList(ctx)
	if err != nil {
		return err
	}
	if c.members != 0 && len(list.Members) != c.members {
		return fmt.Errorf("there are %d, not %d", len(list.Members), c.members)
	}
	for _, url := range c.urls() {
		status, err := c.client.Status(ctx, url)
		if err != nil {
			return err
		}
		if status.Leader == 0 || status.IsLearner || len(status.Errors) != 0 {
			return fmt.Errorf("%s has leader %x, learner %v, errors %v", url, status.Leader, status.IsLearner, status.Errors)
		}
	}
	return nil
}

func (c *checker) checkEqualMembers(ctx context.Context) error {
	now, err := c.client.Put(ctx, c.prefix+"hash", "")
	if err != nil {
		return err
	}
	var first *clientv3.HashKVResponse
	for _, url := range c.urls() {
		hash, err := c.hashAt(ctx, url, now.Header.Revision)
		if err != nil {
			return err
		}
		if first == nil {
			first = hash
		}
		if hash.Hash != first.Hash || hash.CompactRevision != first.CompactRevision {
			return fmt.Errorf("%s has hash %08x since %d, another one %08x since %d", url, hash.Hash, hash.CompactRevision,
				first.Hash, first.CompactRevision)
		}
	}
	return nil
}

// A follower may be a moment behind.
func (c *checker) hashAt(ctx context.Context, url string, revision int64) (*clientv3.HashKVResponse, error) {
	for {
		hash, err := c.client.HashKV(ctx, url, revision)
		if !errors.Is(err, rpctypes.ErrFutureRev) || ctx.Err() != nil {
			return hash, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *checker) checkCompaction(ctx context.Context) error {
	now, err := c.client.Put(ctx, c.prefix+"compact", "")
	if err != nil {
		return err
	}
	if _, err := c.client.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		return err
	}
	return c.mustBeCompacted(ctx, now.Header.Revision-1)
}

func (c *checker) checkDefragmentation(ctx context.Context) error {
	for _, url := range c.urls() {
		if _, err := c.client.Defragment(ctx, url); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	_, err := c.client.Put(ctx, c.prefix+"defragment", "")
	return err
}

// The stream ends with the SHA-256 of all that went before, and a database is whole pages.
func (c *checker) checkSnapshot(ctx context.Context) error {
	stream, err := c.client.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	file, err := os.CreateTemp("", "oracle-snapshot-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	size, err := io.Copy(file, stream)
	if err != nil {
		return err
	}
	if size%512 != sha256.Size {
		return fmt.Errorf("it has %d bytes, which is not whole pages and a checksum", size)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size-sha256.Size)); err != nil {
		return err
	}
	trailer := make([]byte, sha256.Size)
	if _, err := file.ReadAt(trailer, size-sha256.Size); err != nil {
		return err
	}
	if string(trailer) != string(sum.Sum(nil)) {
		return errors.New("its checksum does not match")
	}
	return nil
}

// A learner counts for no quorum, so it can be added without a process behind it.
func (c *checker) checkMemberChange(ctx context.Context) error {
	var added *clientv3.MemberAddResponse
	for { // the server refuses until it is sure of its peers, some seconds after its start
		var err error
		if added, err = c.client.MemberAddAsLearner(ctx, []string{"http://127.0.0.1:1"}); err == nil {
			break
		}
		if !errors.Is(err, rpctypes.ErrUnhealthy) || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	if _, err := c.client.MemberRemove(ctx, added.Member.ID); err != nil {
		return err
	}
	_, err := c.client.Put(ctx, c.prefix+"after-member-change", "")
	return err
}
