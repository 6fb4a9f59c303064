namespace LlmGateway.Harness;

/// <summary>A streamed answer while it runs. Disposing it before its end leaves like a browser whose page is closed.</summary>
sealed class OpenStream : IDisposable
{
    readonly HttpResponseMessage _response;
    readonly StreamReader _reader;

    OpenStream(HttpResponseMessage response, StreamReader reader) => (_response, _reader) = (response, reader);

    public static async Task<OpenStream> StartAsync(string credential, string model, string prompt, string? more = null, Uri? at = null)
    {
        var body = Chat.Body(model, prompt, "\"stream\":true" + (more is null ? "" : "," + more));
        var response = await Gateway.OpenAsync(Gateway.Request("POST", Chat.Path, credential, body, at));
        Assert.Equal(200, (int)response.StatusCode);
        return new(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    /// <summary>The data of the next event; null at the end.</summary>
    public async Task<string?> NextAsync()
    {
        while (await _reader.ReadLineAsync() is { } line)
            if (line.StartsWith("data: ", StringComparison.Ordinal))
                return line["data: ".Length..];
        return null;
    }

    /// <summary>Reads so many words of the answer.</summary>
    public async Task ReadWordsAsync(int count)
    {
        for (var words = 0; words < count;)
        {
            var data = await NextAsync();
            Assert.NotNull(data);
            if (data.Contains("\"content\":", StringComparison.Ordinal) && !data.Contains("\"content\":\"\"", StringComparison.Ordinal))
                words++;
        }
    }

    public async Task<List<string>> RestAsync()
    {
        var rest = new List<string>();
        while (await NextAsync() is { } data)
            rest.Add(data);
        return rest;
    }

    public void Dispose()
    {
        _response.Dispose();
        _reader.Dispose();
    }
}
