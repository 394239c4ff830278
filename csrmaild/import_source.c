#include "csrmaild/import.h"
#include "common/err.h"

#include <openssl/conf.h>
#include <openssl/err.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *
join(const char *folder, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
	    (int)sizeof(path))
		return NULL;
	return strdup(path);
}

static bool
is_kind(const char *path, mode_t kind)
{
	struct stat st;

	return path != NULL && stat(path, &st) == 0 &&
	    (st.st_mode & S_IFMT) == kind;
}

/* The path of what is there and of that kind; NULL. */
static char *
find(const char *folder, const char *name, mode_t kind)
{
	char *path = join(folder, name);

	if (is_kind(path, kind))
		return path;
	free(path);
	return NULL;
}

/* The first of several names, in order; NULL ends them. */
static char *
find_file(const char *folder, const char *const *names)
{
	char *path = NULL;

	for (; path == NULL && *names != NULL; names++)
		path = find(folder, *names, S_IFREG);
	return path;
}
#define FIND_FILE(folder, ...)						\
	find_file((folder), (const char *const[]){ __VA_ARGS__, NULL })

static void
add_folder(struct import_source *s, char *path)
{
	for (size_t i = 0; path != NULL && i < IMPORT_FOLDERS; i++) {
		if (s->folders[i] == NULL) {
			s->folders[i] = path;
			return;
		}
		if (strcmp(s->folders[i], path) == 0)
			break;
	}
	free(path);
}

/* --- openssl.cnf: names of files, if they are not the usual ones --------- */

/* As it stands there, in the folder or beside it: a configuration is written
 * for the folder that openssl was called in. */
static char *
resolve(const char *folder, const char *value, mode_t kind)
{
	char above[PATH_MAX];
	const char *base = strrchr(value, '/');
	char *path;

	if (value[0] == '/')
		return is_kind(value, kind) ? strdup(value) : NULL;
	if (snprintf(above, sizeof(above), "%s/..", folder) >=
	    (int)sizeof(above))
		return NULL;
	path = find(folder, value, kind);
	if (path == NULL)
		path = find(above, value, kind);
	if (path == NULL)
		path = find(folder, base == NULL ? value : base + 1, kind);
	return path;
}

static void
read_configuration(const char *folder, struct import_source *s)
{
	char *file = FIND_FILE(folder, "openssl.cnf", "openssl.conf",
	    "ca.cnf", "ca.conf");
	CONF *conf = NCONF_new(NULL);
	const char *section = NULL, *value;
	const struct {
		const char	*key;
		char		**to;
	} keys[] = {
		{ "certificate", &s->cert }, { "private_key", &s->key },
		{ "database", &s->index }, { "crlnumber", &s->crl_number },
		{ "crl", &s->crl },
	};
	long line;

	if (file != NULL && conf != NULL && NCONF_load(conf, file, &line) > 0)
		section = NCONF_get_string(conf, "ca", "default_ca");
	for (size_t i = 0; section != NULL && i < sizeof(keys) /
	    sizeof(keys[0]); i++) {
		value = NCONF_get_string(conf, section, keys[i].key);
		if (value != NULL)
			*keys[i].to = resolve(folder, value, S_IFREG);
	}
	value = section == NULL ? NULL :
	    NCONF_get_string(conf, section, "new_certs_dir");
	if (value != NULL)
		add_folder(s, resolve(folder, value, S_IFDIR));
	ERR_clear_error();	/* what stands nowhere has its usual name */
	NCONF_free(conf);
	free(file);
}

/* --- what it is ---------------------------------------------------------- */

static void
find_openssl(const char *path, struct import_source *s)
{
	s->origin = "openssl";
	read_configuration(path, s);
	if (s->cert == NULL)
		s->cert = FIND_FILE(path, "cacert.pem", "ca.crt", "ca.pem",
		    "certs/ca.crt", "certs/ca.cert.pem");
	if (s->key == NULL)
		s->key = FIND_FILE(path, "private/cakey.pem",
		    "private/ca.key", "private/ca.key.pem", "ca.key");
	if (s->index == NULL)
		s->index = FIND_FILE(path, "index.txt");
	if (s->crl_number == NULL)
		s->crl_number = FIND_FILE(path, "crlnumber");
	if (s->crl == NULL)
		s->crl = FIND_FILE(path, "crl.pem", "crl/crl.pem", "ca.crl");
	add_folder(s, find(path, "newcerts", S_IFDIR));
}

static void
find_easy_rsa(const char *path, struct import_source *s)
{
	s->origin = "easy-rsa";
	s->cert = FIND_FILE(path, "ca.crt");
	s->key = FIND_FILE(path, "private/ca.key");
	s->index = FIND_FILE(path, "index.txt");
	s->crl_number = FIND_FILE(path, "crlnumber");
	s->crl = FIND_FILE(path, "crl.pem");
	add_folder(s, find(path, "certs_by_serial", S_IFDIR));
	add_folder(s, find(path, "revoked/certs_by_serial", S_IFDIR));
	add_folder(s, find(path, "renewed/certs_by_serial", S_IFDIR));
}

/* Its first octet that is no space. */
static int
first_octet(const char *path)
{
	FILE *f = fopen(path, "re");
	int c = ' ';

	while (f != NULL && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
		c = getc(f);
	if (f != NULL)
		fclose(f);
	return c;
}

int
import_source_find(const char *path, struct import_source *out,
    struct err *err)
{
	struct import_source s = { .origin = "none" };
	char *index, *issued;

	if (path == NULL) {
		*out = s;
		return 0;
	}
	if (is_kind(path, S_IFREG)) {
		int c = first_octet(path);

		s.origin = c == '{' || c == '[' ? "cfssl" : "certificates";
		*(c == '{' || c == '[' ? &s.rows : &s.bundle) = strdup(path);
		*out = s;
		return 0;
	}
	if (!is_kind(path, S_IFDIR))
		return err_set(err, ERR_REJECT, "%s: there is no such folder "
		    "or file", path);
	index = FIND_FILE(path, "index.txt");
	issued = find(path, "issued", S_IFDIR);
	if (index != NULL && issued != NULL)
		find_easy_rsa(path, &s);
	else
		find_openssl(path, &s);
	free(index);
	free(issued);
	if (s.index == NULL) {
		import_source_free(&s);
		s = (struct import_source){ .origin = "certificates",
			.bundle = strdup(path), .crl = FIND_FILE(path,
			"crl.pem", "ca.crl", "crl.crl") };
	}
	*out = s;
	return 0;
}

void
import_source_free(struct import_source *s)
{
	for (size_t i = 0; i < IMPORT_FOLDERS; i++)
		free(s->folders[i]);
	free(s->cert);
	free(s->key);
	free(s->index);
	free(s->crl_number);
	free(s->crl);
	crl_read_free(&s->last);
	free(s->bundle);
	free(s->rows);
	*s = (struct import_source){ .origin = "none" };
}
