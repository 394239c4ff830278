#include "common/ca.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/keystore_token.h"
#include "common/log.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/journal.h"
#include "csrmaild/settings.h"
#include "csrmaild/signer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row more, zeroed; a signer has few CAs, so it grows one by one. */
static int
add_ca(struct signer *s, const char *name, struct err *err)
{
	struct signer_ca *cas = realloc(s->cas,
	    (s->n_cas + 1) * sizeof(*cas));
	struct signer_ca *ca;

	if (cas == NULL)
		return err_errno(err, ERR_RETRY, "out of memory for the CAs");
	s->cas = cas;
	ca = &cas[s->n_cas++];
	*ca = (struct signer_ca){ .why_not = "not opened yet",
		.news = true };
	snprintf(ca->name, sizeof(ca->name), "%.63s", name);
	return 0;
}

/* The CA itself, also where it is not there, and each later key that has a
 * certificate. */
static int
add_generations(struct signer *s, const char *family, struct err *err)
{
	for (unsigned int n = 1; n <= CA_GENERATION_MAX; n++) {
		char name[CA_NAME_MAX + 4], file[CA_FILE_SIZE];

		ca_generation_name(family, n, name, sizeof(name));
		ca_file_name(name, ".crt", file, sizeof(file));
		if (n > 1 && faccessat(s->published_fd, file, F_OK,
		    AT_SYMLINK_NOFOLLOW) != 0)
			return 0;
		if (add_ca(s, name, err) < 0)
			return -1;
	}
	return 0;
}

int
signer_init(struct signer *out, const struct settings *settings,
    struct err *err)
{
	struct signer s = { .settings = settings, .keys_fd = -1,
		.journal_fd = -1, .published_fd = -1 };
	int r = 0;

	if ((s.keys_fd = ca_open_folder(settings->state_dir, "keys",
	    err)) < 0 || (s.journal_fd = ca_open_folder(settings->state_dir,
	    "journal", err)) < 0 || (s.published_fd = ca_open_folder(
	    settings->state_dir, "published", err)) < 0)
		r = -1;
	for (size_t i = 0; r == 0 && i < settings->n_cas; i++)
		r = add_generations(&s, settings->cas[i].name, err);
	if (r < 0) {
		signer_free_contents(&s);
		return -1;
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

/* Also without a passphrase: behind the walls there is no second chance. */
static int
read_key(struct signer *s, struct signer_ca *ca, const char *file,
    struct err *err)
{
	if (s->keys_fd < 0)
		return err_set(err, ERR_FAULT, "keys/%s was not there, or not "
		    "readable, when csrmaild started: restart it", file);
	ca->sealed = BUF(KEYSTORE_FILE_MAX);
	if (keystore_read(s->keys_fd, file, &ca->sealed, err) < 0)
		return -1;
	if (keystore_is_token(buf_bytes(&ca->sealed)) &&
	    token_start(err) < 0) {
		buf_wipe(&ca->sealed);
		return -1;
	}
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
	if (ca->sealed.len == 0 && read_key(s, ca, file, err) < 0)
		return -1;
	if (keystore_open(buf_bytes(&ca->sealed), file, passphrase, &key,
	    err) < 0)
		return -1;
	if (X509_check_private_key(ca->cert, key) != 1) {
		err_openssl(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "keys/%s is not the key of published/%s's certificate",
		    file, ca->name);
		return -1;
	}
	/* It stays open until the end; what is not encrypted is not kept. */
	if (keystore_is_plain(buf_bytes(&ca->sealed)))
		buf_wipe(&ca->sealed);
	ca->issuer.key = key;
	ca->issuer.digest = issue_digest(key);
	ca->key = TAKE(key);
	return 0;
}

int
signer_open_ca(struct signer *s, struct signer_ca *ca,
    struct bytes passphrase, struct err *err)
{
	struct err ignored;
	int r;

	if (ca->key != NULL)
		return 0;
	ca->news = true;
	r = open_ca(s, ca, passphrase, err);
	/* Its journal may be open without its key. */
	if (signer_recall_revoked(s, r == 0 ? err : &ignored) < 0)
		r = -1;
	if (r < 0) {
		snprintf(ca->why_not, sizeof(ca->why_not), "%s", err->text);
		return -1;
	}
	ca->why_not[0] = '\0';
	return 0;
}

int
signer_close_ca(struct signer_ca *ca, const char *why, struct err *err)
{
	if (ca->key != NULL && ca->sealed.len == 0)
		return err_set(err, ERR_REJECT, "the key of %s is not "
		    "encrypted, and so has no lock; `csrmail ca "
		    "rekey-passphrase` gives it one", ca->name);
	EVP_PKEY_free(ca->key);
	ca->key = ca->issuer.key = NULL;
	snprintf(ca->why_not, sizeof(ca->why_not), "%s", why);
	ca->news = true;
	return 0;
}

void
signer_check_token(struct signer *s, const struct signer_ca *ca,
    struct err *err)
{
	const char *reason;
	char why[128];
	struct err ignored;

	if (ca->key == NULL || !token_key_is_lost(ca->key, &reason))
		return;
	snprintf(why, sizeof(why), "its token does not sign any more (%s); "
	    "see to it, then `csrmail ca unlock`", reason);
	err_set(err, ERR_RETRY, "the key of %s is not open: %s", ca->name,
	    why);
	for (size_t i = 0; i < s->n_cas; i++) {
		struct signer_ca *other = &s->cas[i];

		if (other->key == NULL ||
		    !token_key_is_lost(other->key, &reason))
			continue;
		log_error("signer.token-lost", STR("ca", other->name),
		    STR("why", reason));
		other->who[0] = '\0';
		signer_close_ca(other, why, &ignored);
	}
}

bool
signer_has_token(const struct signer *s)
{
	for (size_t i = 0; i < s->n_cas; i++)
		if (keystore_is_token(buf_bytes(&s->cas[i].sealed)))
			return true;
	return false;
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
		buf_wipe(&s->cas[i].sealed);
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
