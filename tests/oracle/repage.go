// repage: copies a database file to one with another page size, as machines with larger pages write it.
package main

import (
	"context"
	"errors"
	"flag"
	"time"

	bolt "go.etcd.io/bbolt"
)

func repage(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("repage", flag.ExitOnError)
	pageBytes := flags.Int("page-bytes", 65536, "of the copy")
	flags.Parse(args)
	if flags.NArg() != 2 {
		return errors.New("it takes two files, FROM and TO")
	}
	from, err := bolt.Open(flags.Arg(0), 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := bolt.Open(flags.Arg(1), 0o600, &bolt.Options{PageSize: *pageBytes, Timeout: time.Second})
	if err != nil {
		return err
	}
	if err := bolt.Compact(to, from, 64<<10); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}
