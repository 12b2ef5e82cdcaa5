// dump: all that clients can see of an etcd, as JSON lines in a fixed order, so that two of them can be compared.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const keysPerPage = 2000

func rfc3339(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// Byte strings are base64 in JSON.
type keyLine struct {
	Kind    string `json:"kind"`
	Key     []byte `json:"key"`
	Sha256  string `json:"value_sha256"`
	Bytes   int    `json:"value_bytes"`
	Version int64  `json:"version"`
	Create  int64  `json:"create_revision"`
	Mod     int64  `json:"mod_revision"`
	Lease   int64  `json:"lease"`
}

type leaseLine struct {
	Kind string   `json:"kind"`
	ID   int64    `json:"id"`
	TTL  int64    `json:"granted_ttl_s"`
	Keys [][]byte `json:"keys"`
}

type userLine struct {
	Kind  string   `json:"kind"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

type permissionLine struct {
	Type string `json:"type"`
	Key  []byte `json:"key"`
	End  []byte `json:"range_end"`
}

type roleLine struct {
	Kind        string           `json:"kind"`
	Name        string           `json:"name"`
	Permissions []permissionLine `json:"permissions"`
}

type authLine struct {
	Kind    string `json:"kind"`
	Enabled bool   `json:"enabled"`
}

type hashLine struct {
	Kind     string `json:"kind"`
	Revision int64  `json:"revision"`
	Compact  int64  `json:"compact_revision"`
	Hash     uint32 `json:"hash"`
}

type clusterLine struct {
	Kind     string `json:"kind"`
	Revision int64  `json:"revision"`
	Members  int    `json:"members"`
}

// A dumper writes the lines of one cluster at one revision.
type dumper struct {
	connection
	client *clientv3.Client
	out    *json.Encoder
	rev    int64
	prefix string
}

func dump(ctx context.Context, args []string) error {
	var d dumper
	var omit string
	flags := flag.NewFlagSet("dump", flag.ExitOnError)
	d.addFlags(flags)
	flags.Int64Var(&d.rev, "rev", 0, "keys as of this revision; 0: now")
	flags.StringVar(&d.prefix, "prefix", "", "only keys that start with this")
	flags.StringVar(&omit, "omit", "", "comma-separated of: keys, leases, auth, hash, cluster (revision and members)")
	flags.Parse(args)
	client, err := d.dial()
	if err != nil {
		return err
	}
	defer client.Close()
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	d.client, d.out = client, json.NewEncoder(out)

	sections := []struct {
		name string
		run  func(context.Context) error
	}{{"keys", d.keys}, {"leases", d.leases}, {"auth", d.auth}, {"hash", d.hash}, {"cluster", d.cluster}}
	omitted := strings.Split(omit, ",")
	for _, section := range sections {
		if slices.Contains(omitted, section.name) {
			continue
		}
		if err := section.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	return out.Flush()
}

func (d *dumper) keys(ctx context.Context) error {
	from, end := "\x00", "\x00"
	if d.prefix != "" {
		from, end = d.prefix, clientv3.GetPrefixRangeEnd(d.prefix)
	}
	revision := d.rev
	for {
		page, err := d.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithRev(revision), clientv3.WithLimit(keysPerPage))
		if err != nil {
			return err
		}
		if revision == 0 {
			revision = page.Header.Revision
		}
		for _, kv := range page.Kvs {
			sum := sha256.Sum256(kv.Value)
			line := keyLine{"key", kv.Key, hex.EncodeToString(sum[:]), len(kv.Value), kv.Version, kv.CreateRevision, kv.ModRevision, kv.Lease}
			if err := d.out.Encode(line); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (d *dumper) leases(ctx context.Context) error {
	all, err := d.client.Leases(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(all.Leases, func(a, b clientv3.LeaseStatus) int { return int(min(max(a.ID-b.ID, -1), 1)) })
	for _, lease := range all.Leases {
		status, err := d.client.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys())
		if err != nil {
			return err
		}
		slices.SortFunc(status.Keys, slices.Compare[[]byte])
		if err := d.out.Encode(leaseLine{"lease", int64(lease.ID), status.GrantedTTL, status.Keys}); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) auth(ctx context.Context) error {
	users, err := d.client.UserList(ctx)
	if err != nil {
		return err
	}
	slices.Sort(users.Users)
	for _, name := range users.Users {
		user, err := d.client.UserGet(ctx, name)
		if err != nil {
			return err
		}
		if err := d.out.Encode(userLine{"user", name, user.Roles}); err != nil {
			return err
		}
	}
	roles, err := d.client.RoleList(ctx)
	if err != nil {
		return err
	}
	slices.Sort(roles.Roles)
	for _, name := range roles.Roles {
		if err := d.role(ctx, name); err != nil {
			return err
		}
	}
	enabled, err := d.authEnabled(ctx)
	if err != nil {
		return err
	}
	return d.out.Encode(authLine{"auth", enabled})
}

func (d *dumper) role(ctx context.Context, name string) error {
	role, err := d.client.RoleGet(ctx, name)
	if err != nil {
		return err
	}
	line := roleLine{"role", name, []permissionLine{}}
	for _, p := range role.Perm {
		line.Permissions = append(line.Permissions, permissionLine{p.PermType.String(), p.Key, p.RangeEnd})
	}
	return d.out.Encode(line)
}

// AuthStatus is not in 3.4; whether a password is asked for can be tried on every version.
func (d *dumper) authEnabled(ctx context.Context) (bool, error) {
	anonymous := d.connection
	anonymous.user = ""
	client, err := anonymous.dial()
	if err != nil {
		return false, err
	}
	defer client.Close()
	_, err = client.UserList(ctx)
	// Without a password the name on the client's certificate is the user.
	for _, refusal := range []error{rpctypes.ErrUserEmpty, rpctypes.ErrUserNotFound, rpctypes.ErrPermissionDenied} {
		if errors.Is(err, refusal) {
			return true, nil
		}
	}
	return false, err
}

// One line for each endpoint: they must agree.
func (d *dumper) hash(ctx context.Context) error {
	revision := d.rev
	if revision == 0 {
		now, err := d.client.Get(ctx, "/")
		if err != nil {
			return err
		}
		revision = now.Header.Revision
	}
	for _, url := range d.urls() {
		answer, err := d.client.HashKV(ctx, url, revision)
		if err != nil {
			return err
		}
		if err := d.out.Encode(hashLine{"hash", revision, answer.CompactRevision, answer.Hash}); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) cluster(ctx context.Context) error {
	members, err := d.client.MemberList(ctx)
	if err != nil {
		return err
	}
	now, err := d.client.Get(ctx, "/")
	if err != nil {
		return err
	}
	return d.out.Encode(clusterLine{"cluster", now.Header.Revision, len(members.Members)})
}
