import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.ingest.common.IngestCommonPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node in the foreground, with the modules that a managed domain has and indexes here use.
 *
 * <p>Arguments: the home folder; --exit-with-stdin if the node shall end with its standard input;
 * --plugin=&lt;class&gt; for each further plugin on the class path.
 * All settings stand in config/opensearch.yml of the home, logging in config/log4j2.properties.
 * SIGTERM closes the node.
 */
public class OpenSearchNode {
    public static void main(String[] arguments) throws Exception {
        var home = Path.of(arguments[0]).toAbsolutePath();
        var settings = Settings.builder().put("path.home", home).build();
        var environment = InternalSettingsPreparer.prepareEnvironment(
                settings, Map.of(), home.resolve("config"), () -> "local");
        LogConfigurator.setNodeName("local");
        LogConfigurator.configure(environment);

        // A distribution finds modules as folders; from plain artifacts they are named as classes.
        var plugins = new ArrayList<Class<? extends Plugin>>(List.of(
                Netty4Plugin.class,
                CommonAnalysisPlugin.class,
                MapperExtrasPlugin.class,
                PainlessPlugin.class,
                IngestCommonPlugin.class,
                ReindexPlugin.class));
        for (var argument : arguments) {
            if (argument.startsWith("--plugin=")) {
                plugins.add(Class.forName(argument.substring("--plugin=".length())).asSubclass(Plugin.class));
            }
        }
        var node = new OpenSearchRunnerNode(environment, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
        if (List.of(arguments).contains("--exit-with-stdin")) {
            System.in.transferTo(OutputStream.nullOutputStream());
            System.exit(0);
        }
        Thread.currentThread().join();
    }

    private static void close(OpenSearchRunnerNode node) {
        try {
            node.close();
        } catch (IOException error) {
            error.printStackTrace();
        }
    }
}
