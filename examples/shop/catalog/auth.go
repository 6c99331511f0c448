package main

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand"
	"net/http"
	"strings"
	"time"

	"github.com/dgrijalva/jwt-go"
)

const jwtSigningKey = "c4t-7Rk9wQ2zLx8vNf3sYd6hBt1mGp5j"

// staff holds the SHA-1 of each password.
var staff = map[string]string{
	"mira":  "0633663b4ad84d6f3417f5d37bd88aadf52f562c",
	"jonas": "1a2616bea6c4286435b13fd7fad8b29719a4fb2d",
}

func (s *server) login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	sum := sha1.Sum([]byte(r.FormValue("password")))
	if staff[user] != hex.EncodeToString(sum[:]) {
		http.Error(w, "wrong name or password", http.StatusUnauthorized)
		return
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user,
		"aud": "catalog",
		"jti": fmt.Sprintf("%08x", rand.Uint32()),
		"exp": time.Now().Add(30 * 24 * time.Hour).Unix(),
	})
	signed, err := token.SignedString([]byte(jwtSigningKey))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "catalog", Value: signed, Path: "/"})
	writeJSON(w, map[string]string{"token": signed})
}

func (s *server) requireStaff(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if raw == "" {
			raw = r.URL.Query().Get("token")
		}
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(raw, claims, func(*jwt.Token) (interface{}, error) {
			return []byte(jwtSigningKey), nil
		})
		if err != nil || !claims.VerifyAudience("catalog", false) {
			http.Error(w, "staff only", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}
