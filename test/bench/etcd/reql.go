package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// reqlStore speaks the driver protocol: a handshake with SCRAM, then frames of JSON, one query under way at a time. A
// connection whose query was not answered in time is opened again.
type reqlStore struct {
	address string
	socket  net.Conn
	reader  *bufio.Reader
	token   uint64
}

const (
	magic       = 0x34c2bdc3
	headerBytes = 12
	// A response of one value that is no error.
	successAtom = `{"t":1,`
)

func openReql(address string) (store, error) {
	s := &reqlStore{address: address}
	return s, s.connect()
}

func (s *reqlStore) connect() error {
	socket, err := net.DialTimeout("tcp", s.address, 10*time.Second)
	if err != nil {
		return err
	}
	s.socket, s.reader = socket, bufio.NewReaderSize(socket, 65536)
	if err := s.shake(); err != nil {
		s.close()
		return err
	}
	return nil
}

func (s *reqlStore) close() {
	s.socket.Close()
	s.socket = nil
}

type authentication struct {
	Success        bool   `json:"success"`
	Authentication string `json:"authentication"`
	Error          string `json:"error"`
}

func (s *reqlStore) message() (authentication, error) {
	var answer authentication
	text, err := s.reader.ReadBytes(0)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(text[:len(text)-1], &answer); err != nil {
		return answer, err
	}
	if !answer.Success {
		return answer, errors.New("the handshake failed: " + answer.Error)
	}
	return answer, nil
}

func (s *reqlStore) send(message map[string]any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = s.socket.Write(append(text, 0))
	return err
}

func sum(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func (s *reqlStore) shake() error {
	if err := binary.Write(s.socket, binary.LittleEndian, uint32(magic)); err != nil {
		return err
	}
	if _, err := s.message(); err != nil {
		return err
	}
	bare := "n=admin,r=" + rand.Text()
	if err := s.send(map[string]any{
		"protocol_version": 0, "authentication_method": "SCRAM-SHA-256", "authentication": "n,," + bare,
	}); err != nil {
		return err
	}
	challenge, err := s.message()
	if err != nil {
		return err
	}
	final, err := proof(bare, challenge.Authentication)
	if err != nil {
		return err
	}
	if err := s.send(map[string]any{"authentication": final}); err != nil {
		return err
	}
	_, err = s.message()
	return err
}

func proof(bare, challenge string) (string, error) {
	fields := map[string]string{}
	for _, field := range strings.Split(challenge, ",") {
		if name, value, found := strings.Cut(field, "="); found {
			fields[name] = value
		}
	}
	salt, err := base64.StdEncoding.DecodeString(fields["s"])
	if err != nil {
		return "", err
	}
	iterations, err := strconv.Atoi(fields["i"])
	if err != nil {
		return "", err
	}
	// The password of a new cluster is empty.
	salted, err := pbkdf2.Key(sha256.New, "", salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	clientKey := sum(salted, "Client Key")
	unproven := "c=biws,r=" + fields["r"]
	stored := sha256.Sum256(clientKey)
	signature := sum(stored[:], bare+","+challenge+","+unproven)
	for at := range clientKey {
		clientKey[at] ^= signature[at]
	}
	return unproven + ",p=" + base64.StdEncoding.EncodeToString(clientKey), nil
}

func (s *reqlStore) run(ctx context.Context, query string) error {
	if s.socket == nil {
		if err := s.connect(); err != nil {
			return err
		}
	}
	deadline, _ := ctx.Deadline()
	if err := s.socket.SetDeadline(deadline); err != nil {
		return err
	}
	answer, err := s.ask(query)
	if err != nil {
		s.close()
		return err
	}
	if !bytes.HasPrefix(answer, []byte(successAtom)) || bytes.Contains(answer, []byte(`"errors":1`)) {
		return fmt.Errorf("the server answered %.300s", answer)
	}
	return nil
}

func (s *reqlStore) ask(query string) ([]byte, error) {
	s.token++
	frame := make([]byte, headerBytes, headerBytes+len(query))
	binary.LittleEndian.PutUint64(frame, s.token)
	binary.LittleEndian.PutUint32(frame[8:], uint32(len(query)))
	if _, err := s.socket.Write(append(frame, query...)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(s.reader, frame); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.LittleEndian.Uint32(frame[8:]))
	_, err := io.ReadFull(s.reader, answer)
	return answer, err
}

const table = `[15,[[14,["bench"]],"documents"]]`

// write is a whole document in place of the one before, which is what a put is.
func (s *reqlStore) write(ctx context.Context, number int, value string) error {
	return s.run(ctx, fmt.Sprintf(
		`[1,[56,[%s,{"id":"%s","value":"%s"}],{"conflict":"replace","durability":"hard"}],{}]`,
		table, key(number), value))
}

func (s *reqlStore) read(ctx context.Context, number int) error {
	return s.run(ctx, fmt.Sprintf(`[1,[16,[%s,"%s"]],{}]`, table, key(number)))
}
