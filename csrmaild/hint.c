#include "csrmaild/hint.h"

#include <assert.h>
#include <string.h>

static const char *const english[] = {
	[HINT_HTML] = "HTML is not read: send the request as plain text, or "
	    "attach it as a file.",
	[HINT_TNEF] = "winmail.dat is a format of Outlook's own and is not "
	    "opened: send the mail as plain text or HTML (not as Rich Text), "
	    "or attach the .req file to such a mail.",
	[HINT_ARCHIVE] = "Archives are not opened: attach the request file "
	    "itself.",
	[HINT_SAVED_MAIL] = "Mails saved as a file (.msg, .eml) are not "
	    "opened: attach the request file itself.",
	[HINT_DOCUMENT] = "Pictures and documents are not read: attach the "
	    "request file itself.",
	[HINT_PARTIAL] = "The mail came in pieces (message/partial), which are "
	    "not put together: send it as a whole.",
	[HINT_EXTERNAL] = "A part of the mail lies elsewhere "
	    "(message/external-body); nothing is fetched: attach the request "
	    "file itself.",
	[HINT_ENCRYPTED] = "What is encrypted cannot be read here: send the "
	    "mail unencrypted. A request holds no secret.",
	[HINT_OPAQUE] = "A mail that is signed as one block (smime.p7m) is not "
	    "opened as this one is: send it clear-signed (in Outlook: Send "
	    "clear text signed message), or unsigned.",
	[HINT_CMC] = "Full CMC requests are not read yet: send the PKCS#10 "
	    "request (.p10) alone.",
	[HINT_CERTIFICATE] = "A certificate is not a request, and cannot be "
	    "made into another one: make a request with your key, as shown "
	    "below.",
	[HINT_PUBLIC_KEY] = "A public key alone is not a request, be it of "
	    "OpenPGP, SSH or any kind: make a request with your key, as "
	    "shown below.",
	[HINT_KEY_STORE] = "A key store (.p12, .pfx, .jks) is not a request "
	    "and does not belong into a mail: it may hold your private key. "
	    "Send only the request.",
	[HINT_SPKAC] = "SPKAC is not read: make a PKCS#10 request with your "
	    "key, as shown below.",
	[HINT_UUENCODE] = "Uuencoded text is not read: attach the request "
	    "file, or put its PEM lines into the text.",
	[HINT_MARKERS] = "The line -----BEGIN CERTIFICATE REQUEST----- or its "
	    "END line is damaged; some programs make other characters of the "
	    "dashes. Best attach the request as a file.",
	[HINT_REVOKE] = "To have a certificate revoked, send a mail with the "
	    "line REVOKE and its serial number, signed (S/MIME) with the key "
	    "of that certificate.",
};

static const char *const german[] = {
	[HINT_HTML] = "HTML wird nicht gelesen: schicken Sie den Antrag als "
	    "reinen Text, oder hängen Sie ihn als Datei an.",
	[HINT_TNEF] = "winmail.dat ist ein eigenes Format von Outlook und "
	    "wird nicht geöffnet: schicken Sie die Mail als reinen Text oder "
	    "HTML (nicht als Rich Text), oder hängen Sie die .req-Datei an "
	    "eine solche Mail an.",
	[HINT_ARCHIVE] = "Archive werden nicht geöffnet: hängen Sie die Datei "
	    "mit dem Antrag selbst an.",
	[HINT_SAVED_MAIL] = "Als Datei gespeicherte Mails (.msg, .eml) werden "
	    "nicht geöffnet: hängen Sie die Datei mit dem Antrag selbst an.",
	[HINT_DOCUMENT] = "Bilder und Dokumente werden nicht gelesen: hängen "
	    "Sie die Datei mit dem Antrag selbst an.",
	[HINT_PARTIAL] = "Die Mail kam in Stücken (message/partial), die nicht "
	    "zusammengesetzt werden: schicken Sie sie als Ganzes.",
	[HINT_EXTERNAL] = "Ein Teil der Mail liegt anderswo "
	    "(message/external-body); es wird nichts geholt: hängen Sie die "
	    "Datei mit dem Antrag selbst an.",
	[HINT_ENCRYPTED] = "Verschlüsseltes kann hier nicht gelesen werden: "
	    "schicken Sie die Mail unverschlüsselt. Ein Antrag enthält kein "
	    "Geheimnis.",
	[HINT_OPAQUE] = "Eine Mail, die als ein Block signiert ist "
	    "(smime.p7m), wird so, wie diese ist, nicht geöffnet: schicken Sie "
	    "sie im Klartext signiert (in Outlook: Signierte Nachrichten als "
	    "Klartext senden) oder unsigniert.",
	[HINT_CMC] = "Full-CMC-Anträge werden noch nicht gelesen: schicken Sie "
	    "den PKCS#10-Antrag (.p10) allein.",
	[HINT_CERTIFICATE] = "Ein Zertifikat ist kein Antrag, und aus ihm wird "
	    "kein anderes: erzeugen Sie mit Ihrem Schlüssel einen Antrag, wie "
	    "unten gezeigt.",
	[HINT_PUBLIC_KEY] = "Ein öffentlicher Schlüssel allein ist kein "
	    "Antrag, weder von OpenPGP noch von SSH noch sonst: erzeugen Sie "
	    "mit Ihrem Schlüssel einen Antrag, wie unten gezeigt.",
	[HINT_KEY_STORE] = "Ein Schlüsselspeicher (.p12, .pfx, .jks) ist kein "
	    "Antrag und gehört nicht in eine Mail: er kann Ihren privaten "
	    "Schlüssel enthalten. Schicken Sie nur den Antrag.",
	[HINT_SPKAC] = "SPKAC wird nicht gelesen: erzeugen Sie mit Ihrem "
	    "Schlüssel einen PKCS#10-Antrag, wie unten gezeigt.",
	[HINT_UUENCODE] = "Uuencode wird nicht gelesen: hängen Sie die Datei "
	    "mit dem Antrag an, oder setzen Sie ihre PEM-Zeilen in den Text.",
	[HINT_MARKERS] = "Die Zeile -----BEGIN CERTIFICATE REQUEST----- oder "
	    "die mit END ist beschädigt; manche Programme machen aus den "
	    "Strichen andere Zeichen. Am besten hängen Sie den Antrag als "
	    "Datei an.",
	[HINT_REVOKE] = "Um ein Zertifikat widerrufen zu lassen, schicken Sie "
	    "eine Mail mit der Zeile REVOKE und seiner Seriennummer, signiert "
	    "(S/MIME) mit dem Schlüssel dieses Zertifikats.",
};

_Static_assert(sizeof(english) / sizeof(english[0]) == HINT_END &&
    sizeof(german) / sizeof(german[0]) == HINT_END && HINT_END < 32,
    "each hint has its words, and a bit");

const char *
hint_text(enum hint hint, const char *language)
{
	assert(hint < HINT_END);
	return language != NULL && strcmp(language, "de") == 0 ?
	    german[hint] : english[hint];
}
