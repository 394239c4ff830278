#include "common/ca.h"
#include "common/err.h"
#include "common/keystore.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/journal.h"
#include "csrmaild/settings.h"
#include "csrmaild/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
signer_init(struct signer *out, const struct settings *settings,
    struct err *err)
{
	struct signer s = { settings, -1, -1, -1, NULL, 0 };

	if ((s.keys_fd = ca_open_folder(settings->state_dir, "keys",
	    err)) < 0 || (s.journal_fd = ca_open_folder(settings->state_dir,
	    "journal", err)) < 0 || (s.published_fd = ca_open_folder(
	    settings->state_dir, "published", err)) < 0 ||
	    (s.cas = calloc(settings->n_cas + 1, sizeof(*s.cas))) == NULL) {
		if (s.published_fd >= 0)
			err_errno(err, ERR_RETRY, "out of memory for the CAs");
		signer_free_contents(&s);
		return -1;
	}
	for (; s.n_cas < settings->n_cas; s.n_cas++) {
		struct signer_ca *ca = &s.cas[s.n_cas];

		snprintf(ca->name, sizeof(ca->name), "%s",
		    settings->cas[s.n_cas].name);
		snprintf(ca->why_not, sizeof(ca->why_not), "not opened yet");
	}
	*out = s;
	return 0;
}

static int
open_certificate(struct signer *s, struct signer_ca *ca, struct err *err)
{
	const struct ca_settings *set = settings_ca(s->settings, ca->name);
	int r = ca_load_certificate(s->published_fd, ca->name, &ca->cert, err);

	if (r > 0)
		return err_set(err, ERR_FAULT,
		    "there is no certificate of %s; create the CA first",
		    ca->name);
	if (r < 0 || ca_key_sha1(ca->cert, ca->key_sha1, err) < 0)
		return -1;
	/* Nothing but a CA's certificate stands behind what we sign. */
	if (X509_check_ca(ca->cert) != 1)
		return err_set(err, ERR_FAULT,
		    "the certificate of %s is not one of a CA", ca->name);
	ca->issuer = (struct issuer){
		.cert = ca->cert,
		.ocsp_url = set->ocsp_url,
		.ca_url = set->ca_url,
		.crl_url = set->crl_url,
	};
	return 0;
}

static int
open_ca(struct signer *s, struct signer_ca *ca, struct bytes passphrase,
    struct err *err)
{
	char file[CA_FILE_SIZE];
	OWNED(EVP_PKEY) *key = NULL;

	if (ca->cert == NULL && open_certificate(s, ca, err) < 0)
		return -1;
	/* Before the key: revocations are recorded also while it is shut. */
	ca_file_name(ca->name, ".journal", file, sizeof(file));
	if (ca->journal == NULL && journal_open(s->journal_fd, file, ca->name,
	    false, &ca->journal, err) < 0)
		return -1;
	ca_file_name(ca->name, ".key", file, sizeof(file));
	if (keystore_load(s->keys_fd, file, passphrase, &key, err) < 0)
		return -1;
	if (X509_check_private_key(ca->cert, key) != 1) {
		err_openssl(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "keys/%s is not the key of published/%s's certificate",
		    file, ca->name);
		return -1;
	}
	ca->issuer.key = key;
	ca->issuer.digest = issue_digest(key);
	ca->key = TAKE(key);
	return 0;
}

int
signer_open_ca(struct signer *s, struct signer_ca *ca,
    struct bytes passphrase, struct err *err)
{
	if (ca->key != NULL)
		return 0;
	if (open_ca(s, ca, passphrase, err) < 0) {
		snprintf(ca->why_not, sizeof(ca->why_not), "%s", err->text);
		return -1;
	}
	ca->why_not[0] = '\0';
	return 0;
}

void
signer_close_folders(struct signer *s)
{
	if (s->keys_fd >= 0)
		close(s->keys_fd);
	if (s->published_fd >= 0)
		close(s->published_fd);
	s->keys_fd = s->published_fd = -1;
}

void
signer_free_contents(struct signer *s)
{
	signer_close_folders(s);
	if (s->journal_fd >= 0)
		close(s->journal_fd);
	s->journal_fd = -1;
	for (size_t i = 0; i < s->n_cas; i++) {
		X509_free(s->cas[i].cert);
		EVP_PKEY_free(s->cas[i].key);
		journal_free(s->cas[i].journal);
	}
	free(s->cas);
	s->cas = NULL;
	s->n_cas = 0;
}

struct signer_ca *
signer_ca_by_name(struct signer *s, const char *name)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		if (strcmp(s->cas[i].name, name) == 0)
			return &s->cas[i];
	}
	return NULL;
}

struct signer_ca *
signer_find_ca(struct signer *s, const char *name, struct err *err)
{
	struct signer_ca *ca = signer_ca_by_name(s, name);

	if (ca == NULL)
		err_set(err, ERR_FAULT, "there is no CA %s", name);
	else if (ca->key == NULL)
		err_set(err, ERR_RETRY, "the key of %s is not open: %.180s",
		    name, ca->why_not);
	return ca == NULL || ca->key == NULL ? NULL : ca;
}
