/*
 * What Java's PKIX validation says of certificates when it has to ask OCSP:
 * the responder named in the certificate, no CRL instead, and no acceptance
 * where nothing can be learned (RFC 5280, 6.1; RFC 6960).
 *
 * Reads lines "ROOT ISSUER LEAF" (PEM files) and answers each in turn with
 * "good", with "revoked REASON", or with "UNDETERMINED_REVOCATION_STATUS: ..."
 * and the like. With the argument "nonce" every request has one of 16 octets,
 * and Java refuses an answer whose nonce is another.
 */

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.Extension;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

class AskOcsp {
	/* RFC 9654, 2.1: an OCTET STRING, wrapped as every extension is. */
	private static final class Nonce implements Extension {
		private final byte[] value = new byte[2 + 16];

		Nonce()
		{
			byte[] octets = new byte[16];
			new SecureRandom().nextBytes(octets);
			value[0] = 0x04;
			value[1] = 16;
			System.arraycopy(octets, 0, value, 2, 16);
		}

		@Override public String
		getId()
		{
			return "1.3.6.1.5.5.7.48.1.2";
		}

		@Override public boolean
		isCritical()
		{
			return false;
		}

		@Override public byte[]
		getValue()
		{
			return value.clone();
		}

		/* SEQUENCE { extnID, extnValue } (RFC 5280, 4.1). */
		@Override public void
		encode(OutputStream out) throws IOException
		{
			out.write(new byte[] { 0x30, 11 + 2 + 18,
			    0x06, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2,
			    0x04, 18 });
			out.write(value);
		}
	}

	private static X509Certificate
	read(CertificateFactory factory, String path) throws Exception
	{
		try (var in = Files.newInputStream(Path.of(path))) {
			return (X509Certificate)factory.generateCertificate(in);
		}
	}

	private static String
	ask(CertificateFactory factory, String[] paths, boolean nonce)
	    throws Exception
	{
		CertPathValidator validator =
		    CertPathValidator.getInstance("PKIX");
		PKIXRevocationChecker checker =
		    (PKIXRevocationChecker)validator.getRevocationChecker();
		PKIXParameters parameters = new PKIXParameters(Set.of(
		    new TrustAnchor(read(factory, paths[0]), null)));

		checker.setOptions(EnumSet.of(
		    PKIXRevocationChecker.Option.ONLY_END_ENTITY,
		    PKIXRevocationChecker.Option.NO_FALLBACK));
		if (nonce)
			checker.setOcspExtensions(List.of(new Nonce()));
		parameters.addCertPathChecker(checker);
		try {
			validator.validate(factory.generateCertPath(List.of(
			    read(factory, paths[2]), read(factory, paths[1]))),
			    parameters);
			return "good";
		} catch (CertPathValidatorException e) {
			if (e.getCause() instanceof
			    CertificateRevokedException revoked)
				return "revoked " +
				    revoked.getRevocationReason();
			return e.getReason() + ": " + e.getMessage();
		}
	}

	public static void
	main(String[] arguments) throws Exception
	{
		CertificateFactory factory =
		    CertificateFactory.getInstance("X.509");
		boolean nonce = List.of(arguments).contains("nonce");
		BufferedReader lines =
		    new BufferedReader(new InputStreamReader(System.in));

		for (String line; (line = lines.readLine()) != null;)
			System.out.println(ask(factory, line.split(" "),
			    nonce));
	}
}
