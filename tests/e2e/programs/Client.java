import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Sends the requests of standard input, one a line: method, address, form's type and form in base64, between tabs.
 * Writes each answer's status and its body in base64 as a line of standard output.
 */
class Client {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] fields = line.split("\t", -1);
            var connection = (HttpURLConnection) new URL(fields[1]).openConnection();
            connection.setRequestMethod(fields[0]);
            if (!fields[2].isEmpty()) connection.setRequestProperty("Content-Type", fields[2]);
            if (!fields[0].equals("GET")) {
                connection.setDoOutput(true);
                try (OutputStream body = connection.getOutputStream()) {
                    body.write(Base64.getDecoder().decode(fields[3]));
                }
            }
            int status = connection.getResponseCode();
            try (InputStream body = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                System.out.println(status + "\t" + Base64.getEncoder().encodeToString(body.readAllBytes()));
            }
        }
    }
}
