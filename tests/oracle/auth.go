// The users, roles and permissions that load --auth makes: one of every sort.
package main

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type permission struct {
	role, key, end string
	mode           clientv3.PermissionType
}

var permissions = []permission{
	{"reader", "/registry/", clientv3.GetPrefixRangeEnd("/registry/"), clientv3.PermissionType(clientv3.PermRead)},
	{"writer", "/registry/pods/", clientv3.GetPrefixRangeEnd("/registry/pods/"), clientv3.PermissionType(clientv3.PermWrite)},
	{"writer", "one-key", "", clientv3.PermissionType(clientv3.PermReadWrite)},
	{"operator", "\x00", "\x00", clientv3.PermissionType(clientv3.PermReadWrite)},
}

var usersWithRoles = []struct {
	name, password string
	roles          []string
}{
	{"alice", "alice-password", []string{"reader"}},
	{"bob", "bob-password", []string{"reader", "writer"}},
	{"carol", "carol-password", nil},
	{"backup", "backup-password", []string{"operator"}},
}

func (l *loader) enableAuth(ctx context.Context) error {
	client := l.clients[0]
	for _, role := range []string{"root", "reader", "writer", "operator", "empty"} {
		if _, err := client.RoleAdd(ctx, role); err != nil {
			return err
		}
	}
	for _, p := range permissions {
		if _, err := client.RoleGrantPermission(ctx, p.role, p.key, p.end, p.mode); err != nil {
			return err
		}
	}
	for _, user := range usersWithRoles {
		if err := l.addUser(ctx, user.name, user.password, user.roles); err != nil {
			return err
		}
	}
	if _, err := client.UserAddWithOptions(ctx, "certificate-only", "", &clientv3.UserAddOptions{NoPassword: true}); err != nil {
		return err
	}
	if err := l.addUser(ctx, "root", l.rootPassword, []string{"root"}); err != nil {
		return err
	}
	_, err := client.AuthEnable(ctx)
	return err
}

func (l *loader) addUser(ctx context.Context, name, password string, roles []string) error {
	if _, err := l.clients[0].UserAdd(ctx, name, password); err != nil {
		return err
	}
	for _, role := range roles {
		if _, err := l.clients[0].UserGrantRole(ctx, name, role); err != nil {
			return err
		}
	}
	return nil
}
