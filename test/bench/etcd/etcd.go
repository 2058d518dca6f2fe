package main

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

type etcdStore struct{ client *clientv3.Client }

func openEtcd(address string) (store, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{"http://" + address},
		DialTimeout: 10 * time.Second,
		Logger:      zap.NewNop(),
	})
	return etcdStore{client}, err
}

func key(number int) string { return fmt.Sprintf("k%08d", number) }

func (s etcdStore) write(ctx context.Context, number int, value string) error {
	_, err := s.client.Put(ctx, key(number), value)
	return err
}

// read is linearizable, which is etcd's default.
func (s etcdStore) read(ctx context.Context, number int) error {
	_, err := s.client.Get(ctx, key(number))
	return err
}
