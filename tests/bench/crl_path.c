#include "common/crl.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/store.h"

#include <openssl/pem.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The driver of crl.sh.
 *
 *	bench_crl library CERT KEY N OUT	one CRL of N entries, by the library
 *						alone, its scratch file beside OUT
 *	bench_crl fill STORE CA N		N revoked certificates on record
 */

static struct err err;

static void
must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "%s: %s (%s)\n", what, err.text, err.detail);
	exit(1);
}

/* Sixteen octets that differ, as random ones do. */
static struct serial
serial_of(uint64_t i)
{
	struct serial serial = { .len = 16 };
	uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15u;

	for (size_t k = 0; k < 8; k++) {
		serial.octets[k] = (uint8_t)(mixed >> (8 * k));
		serial.octets[15 - k] = (uint8_t)(i >> (8 * k));
	}
	serial.octets[0] = 0x40 | (serial.octets[0] & 0x3f);
	return serial;
}

static const enum crl_reason reasons[] = { CRL_UNSPECIFIED,
	CRL_KEY_COMPROMISE, CRL_SUPERSEDED, CRL_CESSATION_OF_OPERATION };

static void
write_list(char **argv)
{
	FILE *cert_file = fopen(argv[2], "r"), *key_file = fopen(argv[3], "r");
	uint64_t n = strtoull(argv[4], NULL, 10);
	int out = open(argv[5], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	time_t now = time(NULL);
	const struct crl_terms terms = { .number = 1, .this_update = now,
		.next_update = now + 7 * 86400 };
	struct crl_writer *w = NULL;
	struct issuer issuer = { .ocsp_url = "", .ca_url = "",
		.crl_url = "" };
	char scratch[4200];

	if (cert_file == NULL || key_file == NULL || out < 0) {
		perror("opening files");
		exit(1);
	}
	issuer.cert = PEM_read_X509(cert_file, NULL, NULL, NULL);
	issuer.key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
	fclose(cert_file);
	fclose(key_file);
	issuer.digest = issue_digest(issuer.key);
	must(crl_open(&issuer, &terms, &w, &err), "opening");
	snprintf(scratch, sizeof(scratch), "%s.scratch", argv[5]);
	crl_use_scratch(w, open(scratch, O_RDWR | O_CREAT | O_TRUNC, 0600));
	unlink(scratch);
	for (uint64_t i = 0; i < n; i++) {
		struct crl_entry entry = { .serial = serial_of(i),
			.revoked_at = now - (time_t)(i % 86400),
			.reason = reasons[i % 4] };

		must(crl_add(w, &entry, 1, &err), "adding");
	}
	must(crl_close(w, out, &err), "closing");
	if (fsync(out) != 0 || close(out) != 0)
		exit(1);
	crl_free(w);
	EVP_PKEY_free(issuer.key);
	X509_free(issuer.cert);
}

static int
note_id(const struct ca_row *row, void *arg)
{
	*(int64_t *)arg = row->id;
	return 0;
}

static void
fill(char **argv)
{
	uint64_t n = strtoull(argv[4], NULL, 10);
	time_t now = time(NULL);
	struct store *store = NULL;
	struct cert_row row = { .state = CERT_REVOKED, .profile = "user",
		.names_text = "CN=somebody", .not_before = now - 86400,
		.not_after = now + 365 * 86400, .der = { (const uint8_t *)"x",
		1 } };

	must(store_open(argv[2], STORE_READ_WRITE, &store, &err), "opening");
	must(store_find_ca(store, argv[3], note_id, &row.ca_id, &err),
	    "looking for the CA");
	must(store_begin(store, &err), "beginning");
	for (uint64_t i = 0; i < n; i++) {
		row.serial = serial_of(i);
		row.revoked_at = now - (time_t)(i % 86400);
		row.reason = reasons[i % 4];
		must(store_add_certificate(store, &row, &err), "adding");
	}
	must(store_commit(store, &err), "committing");
	store_free(store);
}

int
main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "library") == 0)
		write_list(argv);
	else if (argc == 5 && strcmp(argv[1], "fill") == 0)
		fill(argv);
	else
		return 64;
	return 0;
}
