// Does a text look like a pipeline? A first, cheap look, so that nothing else of the extension is loaded for any
// other file. The language server has the last word. Pure, and without imports: it runs for every Python file.

const importsSdk = /^[ \t]*(?:from|import)[ \t]+sagemaker[.\w]*workflow\b/m;
const importsSession = /^[ \t]*from[ \t]+sagemaker[.\w]*[ \t]+import\b[^\n]*\bPipelineSession\b/m;
const callsService = /\bcreate_pipeline\s*\(/;
const definition = /"Version"\s*:\s*"2020-12-01"/;
const template = /\bAWS::SageMaker::Pipeline\b/;

export const languages = ["python", "json", "jsonc", "yaml", "cloudformation"] as const;

/** True where `text`, a document of `language`, seems to define a SageMaker pipeline. */
export function looksLikePipeline(language: string, text: string): boolean {
  switch (language) {
    case "python":
      return importsSdk.test(text) || importsSession.test(text) || (text.includes("boto3") && callsService.test(text));
    case "json":
    case "jsonc":
      return (definition.test(text) && text.includes('"Steps"')) || template.test(text);
    case "yaml":
    case "cloudformation":
      return template.test(text);
    default:
      return false;
  }
}
