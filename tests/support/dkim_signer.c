#include "tests/support/dkim_signer.h"

#include "common/owned.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct made {
	const char	*name;
	EVP_PKEY	*key;
	char		 text[1024];
} keys[] = { { .name = "rsa2048" }, { .name = "rsa1024" },
	{ .name = "ed25519" } };

static struct made *
find_key(const char *name)
{
	unsigned char octets[1024], *end = octets;
	struct made *k = keys;
	size_t len = sizeof(octets);

	while (strcmp(k->name, name) != 0)
		k++;
	if (k->key != NULL)
		return k;
	if (strcmp(name, "ed25519") == 0) {
		k->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		EVP_PKEY_get_raw_public_key(k->key, octets, &len);
	} else {
		k->key = EVP_RSA_gen(strcmp(name, "rsa1024") == 0 ?
		    1024U : 2048U);
		len = (size_t)i2d_PUBKEY(k->key, &end);
	}
	EVP_EncodeBlock((unsigned char *)k->text, octets, (int)len);
	return k;
}

const char *
dkim_signer_public(const char *key)
{
	return find_key(key)->text;
}

/* --- canonical forms (RFC 6376, 3.4) ---------------------------------------------- */

/* Runs of white space become one space; those at line ends go. */
static void
relax(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == '\t' ? ' ' : text[i];

		if (c == '\r' || c == ' ')
			while (out->len > 0 && out->data[out->len - 1] == ' ')
				out->len--;
		buf_append(out, &c, 1);
	}
}

/* "Name: value" without its line end. */
static void
put_field(const char *field, size_t len, bool relaxed, struct buf *out)
{
	OWNED_BUF(value, 65536);
	OWNED_BUF(canonical, 65536);
	struct bytes v;
	const char *colon = memchr(field, ':', len);

	if (!relaxed) {
		buf_append(out, field, len);
		return;
	}
	for (const char *p = field; p < colon; p++) {
		char c = (char)tolower((unsigned char)*p);

		buf_append(out, &c, 1);
	}
	for (const char *p = colon + 1; p < field + len; p++)
		if (*p != '\r' && *p != '\n')
			buf_append(&value, p, 1);
	buf_append_str(&value, "\r");	/* white space before it goes */
	buf_append_str(out, ":");
	relax((const char *)value.data, value.len, &canonical);
	v = bytes_slice(buf_bytes(&canonical), 0, canonical.len - 1);
	if (v.len > 0 && v.data[0] == ' ')
		v = bytes_slice(v, 1, v.len);
	buf_append_bytes(out, v);
}

static void
put_body(const char *body, bool relaxed, struct buf *out)
{
	if (relaxed)
		relax(body, strlen(body), out);
	else
		buf_append_str(out, body);
	while (out->len >= 4 &&
	    memcmp(out->data + out->len - 4, "\r\n\r\n", 4) == 0)
		out->len -= 2;
}

/* The field of that name, if there is one. */
static const char *
find_field(const char *header, const char *name, size_t n, size_t *len)
{
	for (const char *p = header; *p != '\0';) {
		const char *end = p;

		do
			end = strstr(end, "\r\n") + 2;
		while (*end == ' ' || *end == '\t');
		*len = (size_t)(end - p) - 2;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return p;
		p = end;
	}
	return NULL;
}

static void
put_signed_fields(const struct dkim_signer *s, const char *header,
    struct buf *out)
{
	char used[1024] = ":";

	for (const char *name = s->h; *name != '\0';) {
		size_t n = strcspn(name, ":"), len;
		const char *field = find_field(header, name, n, &len);
		char mark[128];

		/* Named once more than it is there, it stands for nothing. */
		snprintf(mark, sizeof(mark), ":%.*s:", (int)n, name);
		if (field != NULL && strcasestr(used, mark) == NULL) {
			put_field(field, len, s->relaxed, out);
			buf_append_str(out, "\r\n");
		}
		strncat(used, mark + 1, sizeof(used) - strlen(used) - 1);
		name += n + (name[n] == ':');
	}
}

/* --- the signature ------------------------------------------------------------------ */
void
dkim_signer_sign(const struct dkim_signer *s, const char *header,
    const char *body, struct buf *out)
{
	const EVP_MD *md = strcmp(s->algorithm, "rsa-sha1") == 0 ? EVP_sha1() :
	    EVP_sha256();
	bool edwards = strcmp(s->key, "ed25519") == 0;
	OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE], signature[512];
	char text[1024];
	size_t len = sizeof(signature);
	unsigned int n;
	OWNED_BUF(canonical, 1 << 20);
	OWNED_BUF(field, 65536);
	struct bytes todo;
	const char *l = strstr(s->tags, "l=");

	put_body(body, s->relaxed, &canonical);
	if (l != NULL)
		canonical.len = (size_t)strtoul(l + 2, NULL, 10);
	EVP_Digest(canonical.data, canonical.len, digest, &n, md, NULL);
	EVP_EncodeBlock((unsigned char *)text, digest, (int)n);
	buf_printf(&field, "DKIM-Signature: v=1; a=%s; c=%s; d=example.test; "
	    "s=s1;\r\n\t%sh=%s;\r\n\tbh=%s; b=", s->algorithm, s->relaxed ?
	    "relaxed/relaxed" : "simple/simple", s->tags, s->h, text);

	buf_clear(&canonical);
	put_signed_fields(s, header, &canonical);
	put_field((const char *)field.data, field.len, s->relaxed,
	    &canonical);
	todo = buf_bytes(&canonical);
	/* RFC 8463, 3: Ed25519 signs the hash, itself without one. */
	if (edwards) {
		EVP_Digest(todo.data, todo.len, digest, &n, md, NULL);
		todo = (struct bytes){ digest, n };
	}
	ck_assert_int_eq(EVP_DigestSignInit(ctx, NULL, edwards ? NULL : md,
	    NULL, find_key(s->key)->key), 1);
	ck_assert_int_eq(EVP_DigestSign(ctx, signature, &len, todo.data,
	    todo.len), 1);
	EVP_EncodeBlock((unsigned char *)text, signature, (int)len);
	buf_append_bytes(out, buf_bytes(&field));
	buf_printf(out, "%s\r\n%s\r\n%s", text, header, body);
	ck_assert(!out->failed && !field.failed && !canonical.failed);
}
