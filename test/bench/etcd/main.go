// The peer of the cluster benchmark, and the clients of both clusters:
//
//	etcd-peer server ARGUMENT...                        one etcd node
//	etcd-peer load PROTOCOL KIND CLIENTS MS ADDRESS...  clients with one request under way each
//	etcd-peer watch PROTOCOL ADDRESS...                 writes all the time, and prints what is acknowledged
//
// PROTOCOL is etcd or reql, KIND is write or read.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

// keys is how many documents there are.
const keys = 2000

// store is what a client has a connection to.
type store interface {
	write(ctx context.Context, key int, value string) error
	read(ctx context.Context, key int) error
}

var stores = map[string]func(address string) (store, error){"etcd": openEtcd, "reql": openReql}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: etcd-peer server|load|watch ARGUMENT...")
	}
	switch command, args := os.Args[1], os.Args[2:]; command {
	case "server":
		etcdmain.Main(append([]string{"etcd"}, args...))
	case "load":
		load(args)
	case "watch":
		watch(args)
	default:
		log.Fatalf("unknown command %q", command)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// value has 1 KiB that is different for each write.
func value(client, count int) string {
	text := make([]byte, 1024)
	for at := range text {
		text[at] = 'a' + byte((at*7+client*31+count)%26)
	}
	return string(text)
}

func open(protocol string, count int, addresses []string) []store {
	all := make([]store, count)
	for at := range all {
		connection, err := stores[protocol](addresses[at%len(addresses)])
		if err != nil {
			log.Fatal(err)
		}
		all[at] = connection
	}
	return all
}

type report struct {
	Rate       float64 `json:"rate"`
	P50        float64 `json:"p50"`
	P99        float64 `json:"p99"`
	Errors     int     `json:"errors"`
	CPUSeconds float64 `json:"cpuSeconds"`
}

func load(args []string) {
	protocol, kind := args[0], args[1]
	clients, duration := number(args[2]), time.Duration(number(args[3]))*time.Millisecond
	all := open(protocol, clients, args[4:])
	var mutex sync.Mutex
	var times []time.Duration
	var failures int
	var group sync.WaitGroup
	started := time.Now()
	for client, connection := range all {
		group.Add(1)
		go func() {
			defer group.Done()
			var own []time.Duration
			failed := 0
			for count := 0; time.Since(started) < duration; count++ {
				key := (client*7919 + count*104729) % keys
				since := time.Now()
				var err error
				if kind == "write" {
					err = connection.write(context.Background(), key, value(client, count))
				} else {
					err = connection.read(context.Background(), key)
				}
				if err != nil {
					failed++
					log.Print(err)
					continue
				}
				own = append(own, time.Since(since))
			}
			mutex.Lock()
			times = append(times, own...)
			failures += failed
			mutex.Unlock()
		}()
	}
	group.Wait()
	elapsed := time.Since(started).Seconds()
	slices.Sort(times)
	at := func(share float64) float64 {
		if len(times) == 0 {
			return 0
		}
		return float64(times[int(float64(len(times)-1)*share)].Microseconds()) / 1000
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	used := time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	answer := report{float64(len(times)) / elapsed, at(0.5), at(0.99), failures, used}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}

// Writes are begun all the time, also while earlier ones wait for an answer: the first one that could succeed is seen.
const (
	watchEvery   = 5 * time.Millisecond
	watchWithin  = 2 * time.Second
	watchClients = 256
)

// watch prints "acknowledged BEGUN ENDED" in milliseconds since 1970 for each write, until its standard input ends.
func watch(args []string) {
	all := open(args[0], watchClients, args[1:])
	free := make(chan int, watchClients)
	for at := range all {
		free <- at
	}
	go func() {
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			os.Exit(0)
		}
	}()
	var output sync.Mutex
	for count := 0; ; count++ {
		time.Sleep(watchEvery)
		at := <-free
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), watchWithin)
			defer cancel()
			begun := time.Now()
			err := all[at].write(ctx, count%keys, value(at, count))
			free <- at
			if err != nil {
				return
			}
			output.Lock()
			defer output.Unlock()
			fmt.Println("acknowledged", begun.UnixMilli(), time.Now().UnixMilli())
		}()
	}
}
