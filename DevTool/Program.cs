using LlmGateway.DevTool;

return await CommandLine.RunAsync(args);
